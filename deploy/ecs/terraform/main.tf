# SPDX-License-Identifier: Apache-2.0
# The containers, the task that they make, and where it runs.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  reader    = var.layout == "reader"
  bedrock   = length(var.model_arns) + length(var.inference_profiles) > 0

  # Each role is assumed with the external id, which sidekey's container alone is given.
  assume_reader = {
    roleArn    = local.role_arns.reader
    externalId = "env:SIDEKEY_EXTERNAL_ID"
  }
  assume_invoke = {
    roleArn    = local.role_arns.invoke
    externalId = "env:SIDEKEY_EXTERNAL_ID"
  }

  targets = {
    for name, target in var.config.targets : name => merge(
      target,
      {
        for key in local.bedrock && local.reader && try(target.provider, "") == "bedrock" && !can(target.apiKey) ? ["aws"] : [] :
        key => merge(try(target.aws, {}), { assumeRole = local.assume_invoke })
      }
    )
  }
  # `container` and not `auto`: a task without its role must fail, not look for another identity.
  config = merge(
    var.config,
    { targets = local.targets },
    {
      for key in local.reader ? ["aws"] : [] :
      key => merge(try(var.config.aws, {}), { credentials = "container", assumeRole = local.assume_reader })
    }
  )

  log = {
    for container in ["sidekey", "agent"] : container => {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = local.log_group
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = container
        "mode"                  = "non-blocking"
        "max-buffer-size"       = "4m"
      }
    }
  }
  # Fargate sets no_new_privs by itself and takes no such option; sidekey sets it anyway.
  hardening = { for key in var.launch_type == "EC2" ? ["dockerSecurityOptions"] : [] : key => ["no-new-privileges"] }
  no_capability = {
    capabilities       = { drop = ["ALL"] }
    initProcessEnabled = false
  }

  secrets = merge(
    var.secrets,
    { for name in local.reader ? ["SIDEKEY_EXTERNAL_ID"] : [] : name => aws_secretsmanager_secret.external_id[0].arn }
  )

  sidekey = merge(local.hardening, {
    name                   = "sidekey"
    image                  = var.sidekey_image
    essential              = true
    user                   = "65532:65532"
    privileged             = false
    readonlyRootFilesystem = true
    linuxParameters        = local.no_capability
    portMappings           = []
    memoryReservation      = 320 # limits.bufferTotal, 256 MiB, and what it is without a call
    environment = [
      { name = "AWS_REGION", value = var.region },
      { name = "SIDEKEY_CONFIG_CONTENT", value = jsonencode(local.config) },
    ]
    secrets = [for name in sort(keys(local.secrets)) : { name = name, valueFrom = local.secrets[name] }]
    healthCheck = {
      command     = ["CMD", "/sidekey", "health", "--started"]
      interval    = 10
      timeout     = 5
      retries     = 3
      startPeriod = 60
    }
    startTimeout     = 120
    stopTimeout      = 30
    logConfiguration = local.log["sidekey"]
  })

  agent_environment = merge(
    {
      OPENAI_BASE_URL           = "http://127.0.0.1:7717/v1"
      OPENAI_API_KEY            = "none"
      ANTHROPIC_BASE_URL        = "http://127.0.0.1:7717"
      ANTHROPIC_API_KEY         = "none"
      NO_PROXY                  = "127.0.0.1,localhost"
      AWS_EC2_METADATA_DISABLED = "true"
    },
    var.agent.environment
  )

  agent = merge(
    local.hardening,
    { for key in var.agent.command == null ? [] : ["command"] : key => var.agent.command },
    {
      name                   = "agent"
      image                  = var.agent.image
      essential              = true
      user                   = var.agent.user
      privileged             = false
      readonlyRootFilesystem = var.agent.readonly_root
      linuxParameters        = local.no_capability
      portMappings           = []
      memoryReservation      = 128
      dependsOn              = [{ containerName = "sidekey", condition = "HEALTHY" }]
      environment            = [for name in sort(keys(local.agent_environment)) : { name = name, value = local.agent_environment[name] }]
      mountPoints            = [for i, path in var.agent.writable : { sourceVolume = "writable-${i}", containerPath = path, readOnly = false }]
      stopTimeout            = var.stop_timeout
      logConfiguration       = local.log["agent"]
    }
  )

  containers = [local.sidekey, local.agent]
  log_group  = "/ecs/${var.name}"
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = [var.launch_type]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode(local.containers)
  # pid_mode and ipc_mode stay unset: the agent must not see sidekey's processes.

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  dynamic "volume" {
    for_each = var.agent.writable
    content {
      name = "writable-${volume.key}"
    }
  }
}

resource "aws_ecs_service" "this" {
  count                              = var.cluster_arn == null ? 0 : 1
  name                               = var.name
  cluster                            = var.cluster_arn
  task_definition                    = aws_ecs_task_definition.this.arn
  desired_count                      = var.desired_count
  launch_type                        = var.launch_type
  enable_execute_command             = false # its agent would run in the task, with the task's role
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.task.id]
    assign_public_ip = false
  }

  # A task that starts before these exist fails, and the circuit breaker gives up.
  depends_on = [
    aws_secretsmanager_secret_version.external_id,
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task_assume,
    aws_iam_role_policy.reader,
    aws_vpc_endpoint.interface,
    aws_vpc_endpoint.s3,
  ]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts by itself; sidekey logs no secret. log_kms_key_arn names another key.
  name              = local.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
}

# The external id stands in the reader's trust policy, in Terraform's state and in CloudTrail: keep
# the agent's principal away from all three (see the deny policy).
resource "random_password" "external_id" {
  count   = local.reader ? 1 : 0
  length  = 48
  special = false
  keepers = { generation = var.external_id_generation }
}

resource "aws_secretsmanager_secret" "external_id" {
  #checkov:skip=CKV_AWS_149:The default key does; the execution role would need kms:Decrypt of another.
  #checkov:skip=CKV2_AWS_57:It is replaced by external_id_generation, together with the trust policy.
  count                   = local.reader ? 1 : 0
  name                    = "${var.name}/external-id"
  description             = "What sidekey shows to assume the roles of ${var.name}."
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "external_id" {
  count         = local.reader ? 1 : 0
  secret_id     = aws_secretsmanager_secret.external_id[0].id
  secret_string = random_password.external_id[0].result
}

resource "aws_security_group" "task" {
  name        = "${var.name}-task"
  description = "The task of ${var.name}: nothing comes in"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "upstream" {
  for_each          = toset(var.upstream_cidrs)
  security_group_id = aws_security_group.task.id
  description       = "The apiBases"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
