# SPDX-License-Identifier: Apache-2.0
# The ways to AWS that stay in the VPC, each open to the principal that needs it and for what it
# needs. An endpoint policy gives nothing; it takes away what keys of another account, say, could.

locals {
  # One statement each: who, what, on what.
  endpoint_rules = {
    secretsmanager = concat(
      local.reader && length(local.secret_arns) > 0 ? [{
        role     = local.role_arns.reader
        actions  = ["secretsmanager:GetSecretValue"]
        resource = concat(local.secret_arns, length(local.provider_arns) > 0 ? local.read_provider_secrets.Resource : [])
      }] : [],
      length(local.execution_secrets) > 0 ? [{
        role     = local.role_arns.execution
        actions  = ["secretsmanager:GetSecretValue"]
        resource = local.execution_secrets
      }] : []
    )
    sts = local.reader ? [{
      role     = local.role_arns.task
      actions  = ["sts:AssumeRole"]
      resource = local.assumable
    }] : []
    logs = [{
      role     = local.role_arns.execution
      actions  = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resource = [local.log_streams]
    }]
    "ecr.api" = local.endpoint_ecr
    "ecr.dkr" = local.endpoint_ecr
    ssm = concat(
      local.reader && length(local.parameter_arns) > 0 ? [{
        role     = local.role_arns.reader
        actions  = ["ssm:GetParameter"]
        resource = local.parameter_arns
      }] : [],
      length(local.execution_parameters) > 0 ? [{
        role     = local.role_arns.execution
        actions  = ["ssm:GetParameters"]
        resource = local.execution_parameters
      }] : []
    )
    # The stores call KMS on their own; this one is for those who want even that refused.
    kms = length(var.kms_key_arns) > 0 ? [{
      role     = local.reader ? local.role_arns.reader : local.role_arns.execution
      actions  = ["kms:Decrypt"]
      resource = var.kms_key_arns
    }] : []
    "bedrock-runtime" = local.reader && local.bedrock ? [{
      role     = local.role_arns.invoke
      actions  = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream", "bedrock:CountTokens"]
      resource = concat(var.model_arns, keys(var.inference_profiles), flatten(values(var.inference_profiles)))
    }] : []
  }
  endpoint_ecr = [
    {
      role     = local.role_arns.execution
      actions  = ["ecr:GetAuthorizationToken"]
      resource = ["*"]
    },
    {
      role     = local.role_arns.execution
      actions  = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resource = var.repository_arns
    },
  ]

  endpoint_policies = {
    for service, rules in local.endpoint_rules : service => {
      Version = "2012-10-17"
      Statement = [
        for rule in rules : {
          Effect    = "Allow"
          Principal = "*"
          Action    = rule.actions
          Resource  = rule.resource
          Condition = { ArnEquals = { "aws:PrincipalArn" = rule.role } }
        }
      ]
    }
  }
  # ECR hands out signed addresses of its own bucket: whoever asks has no name that could be checked.
  layers_policy = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LayersOfEcrAndNothingElse"
      Effect    = "Allow"
      Principal = "*"
      Action    = "s3:GetObject"
      Resource  = "arn:${local.partition}:s3:::prod-${var.region}-starport-layer-bucket/*"
    }]
  }

  # What no role needs has no endpoint: without STS, say, nobody in the env layout can assume a role.
  interface_services = [
    for service in setunion(["secretsmanager", "sts", "logs", "ecr.api", "ecr.dkr"], var.further_endpoints) :
    service if var.endpoints && length(local.endpoint_rules[service]) > 0
  ]
}

resource "aws_security_group" "endpoints" {
  count       = var.endpoints ? 1 : 0
  name        = "${var.name}-endpoints"
  description = "The endpoints of ${var.name}: its task comes in"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count                        = var.endpoints ? 1 : 0
  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "The task"
  referenced_security_group_id = aws_security_group.task.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "endpoints" {
  count                        = var.endpoints ? 1 : 0
  security_group_id            = aws_security_group.task.id
  description                  = "The endpoints"
  referenced_security_group_id = aws_security_group.endpoints[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "layers" {
  count             = var.endpoints ? 1 : 0
  security_group_id = aws_security_group.task.id
  description       = "Layers of the images, from S3"
  prefix_list_id    = aws_vpc_endpoint.s3[0].prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = toset(local.interface_services)
  vpc_id              = var.vpc_id
  service_name        = "com.amazonaws.${var.region}.${each.value}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = var.subnet_ids
  security_group_ids  = [aws_security_group.endpoints[0].id]
  policy              = jsonencode(local.endpoint_policies[each.value])
}

resource "aws_vpc_endpoint" "s3" {
  count             = var.endpoints ? 1 : 0
  vpc_id            = var.vpc_id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.route_table_ids
  policy            = jsonencode(local.layers_policy)
}
