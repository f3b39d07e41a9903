# SPDX-License-Identifier: Apache-2.0
# Who may do what. The same policies, with example values, are policy/iam/*.json.

locals {
  text       = jsonencode(var.config)
  dns_suffix = data.aws_partition.current.dns_suffix
  role_arns = {
    for role in ["task", "execution", "reader", "invoke"] :
    role => "arn:${local.partition}:iam::${local.account}:role/${var.name}-${role}"
  }
  assumable = local.reader ? concat([local.role_arns.reader], local.bedrock ? [local.role_arns.invoke] : []) : []

  # What the configuration names: ARNs of secrets up to the JSON key, of parameters, of providers.
  secret_arns    = distinct(regexall("arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+", local.text))
  parameter_arns = distinct(regexall("arn:[a-z-]+:ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9/_.-]+", local.text))
  provider_arns  = distinct(regexall("arn:[a-z-]+:bedrock-agentcore:[a-z0-9-]+:[0-9]{12}:token-vault/[A-Za-z0-9.-]+/apikeycredentialprovider/[A-Za-z0-9_.-]+", local.text))

  # The same for what the execution role injects.
  injected             = join(" ", values(var.secrets))
  injected_secrets     = distinct(regexall("arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+", local.injected))
  injected_parameters  = distinct(regexall("arn:[a-z-]+:ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9/_.-]+", local.injected))
  external_id_arns     = aws_secretsmanager_secret.external_id[*].arn
  execution_secrets    = concat(local.external_id_arns, local.injected_secrets)
  execution_parameters = local.injected_parameters

  read_secrets = {
    Sid      = "ReadTheNamedSecretsAndNothingElse"
    Effect   = "Allow"
    Action   = "secretsmanager:GetSecretValue"
    Resource = local.secret_arns
  }
  decrypt_secrets = {
    Sid      = "OnlyForSecretsUnderACustomerManagedKey"
    Effect   = "Allow"
    Action   = "kms:Decrypt"
    Resource = var.kms_key_arns
    Condition = {
      StringEquals = {
        "kms:ViaService"                  = distinct([for arn in local.secret_arns : "secretsmanager.${split(":", arn)[3]}.${local.dns_suffix}"])
        "kms:EncryptionContext:SecretARN" = local.secret_arns
      }
    }
  }
  read_parameters = {
    Sid      = "ReadTheNamedParametersAndNothingElse"
    Effect   = "Allow"
    Action   = "ssm:GetParameter"
    Resource = local.parameter_arns
  }
  decrypt_parameters = {
    Sid      = "OnlyForParametersUnderACustomerManagedKey"
    Effect   = "Allow"
    Action   = "kms:Decrypt"
    Resource = var.kms_key_arns
    Condition = {
      StringEquals = {
        "kms:ViaService"                      = distinct([for arn in local.parameter_arns : "ssm.${split(":", arn)[3]}.${local.dns_suffix}"])
        "kms:EncryptionContext:PARAMETER_ARN" = local.parameter_arns
      }
    }
  }
  find_providers = {
    Sid    = "FindTheSecretBehindTheNamedProvider"
    Effect = "Allow"
    Action = "bedrock-agentcore:GetApiKeyCredentialProvider"
    Resource = distinct(concat(
      [for arn in local.provider_arns : split("/apikeycredentialprovider/", arn)[0]],
      local.provider_arns
    ))
  }
  # AgentCore names the secret after the provider, and may put a hash behind it: hence the star.
  read_provider_secrets = {
    Sid    = "ReadThatSecretAndNothingElse"
    Effect = "Allow"
    Action = "secretsmanager:GetSecretValue"
    Resource = [
      for arn in local.provider_arns : format(
        "arn:%s:secretsmanager:%s:%s:secret:bedrock-agentcore-identity!%s/apikey/%s-*",
        split(":", arn)[1], split(":", arn)[3], split(":", arn)[4],
        split("/", arn)[1], split("/", arn)[3]
      )
    ]
  }

  reader_policy = {
    Version = "2012-10-17"
    Statement = concat(
      length(local.secret_arns) > 0 ? [local.read_secrets] : [],
      length(local.secret_arns) * length(var.kms_key_arns) > 0 ? [local.decrypt_secrets] : [],
      length(local.parameter_arns) > 0 ? [local.read_parameters] : [],
      length(local.parameter_arns) * length(var.kms_key_arns) > 0 ? [local.decrypt_parameters] : [],
      length(local.provider_arns) > 0 ? [local.find_providers, local.read_provider_secrets] : []
    )
  }

  invoke_policy = {
    Version = "2012-10-17"
    Statement = concat(
      length(var.model_arns) + length(var.inference_profiles) > 0 ? [{
        Sid      = "CallTheNamedModelsAndNothingElse"
        Effect   = "Allow"
        Action   = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
        Resource = concat(var.model_arns, keys(var.inference_profiles))
      }] : [],
      length(var.model_arns) + length(var.inference_profiles) > 0 ? [{
        Sid      = "CountTheirTokens"
        Effect   = "Allow"
        Action   = "bedrock:CountTokens"
        Resource = concat(var.model_arns, keys(var.inference_profiles), flatten(values(var.inference_profiles)))
      }] : [],
      [for i, profile in keys(var.inference_profiles) : {
        Sid       = "TheModelsBehindProfile${i}ThroughItAlone"
        Effect    = "Allow"
        Action    = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
        Resource  = var.inference_profiles[profile]
        Condition = { StringEquals = { "bedrock:InferenceProfileArn" = profile } }
      }]
    )
  }

  # sidekey names its sessions sidekey-TASK: CloudTrail then says which task read what.
  role_trust = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTheTaskAndOnlyWithTheExternalId"
      Effect    = "Allow"
      Principal = { AWS = aws_iam_role.task.arn }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "sts:ExternalId" = random_password.external_id[*].result }
        StringLike   = { "sts:RoleSessionName" = "sidekey*" }
      }
    }]
  }

  task_trust = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyEcsForTasksOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${var.region}:${local.account}:*" }
      }
    }]
  }

  assume_policy = {
    Version = "2012-10-17"
    Statement = [{
      Sid      = "AssumeTheseRolesAndNoOther"
      Effect   = "Allow"
      Action   = "sts:AssumeRole"
      Resource = local.assumable
    }]
  }

  # The task's role is the agent's as well. What is denied here stays denied, whatever it is given
  # later for the agent's own work: a secret, the external id (which the trust policy, CloudTrail
  # and the roles' descriptions show), and the ways to start a task that is given one.
  deny_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "NoSecretForTheAgent"
        Effect = "Deny"
        Action = [
          "secretsmanager:*",
          "ssm:GetParameter*",
          "bedrock-agentcore:GetResourceApiKey",
          "bedrock-agentcore:GetApiKeyCredentialProvider",
          "bedrock-agentcore:GetWorkloadAccessToken*",
        ]
        Resource = "*"
      },
      {
        Sid    = "NoLookAtTheExternalId"
        Effect = "Deny"
        Action = [
          "iam:*",
          "cloudtrail:*",
          "config:*",
          "access-analyzer:*",
        ]
        Resource = "*"
      },
      {
        Sid    = "NoTaskOrShellThatIsGivenASecret"
        Effect = "Deny"
        Action = [
          "ecs:RegisterTaskDefinition",
          "ecs:RunTask",
          "ecs:StartTask",
          "ecs:CreateService",
          "ecs:UpdateService",
          "ecs:ExecuteCommand",
        ]
        Resource = "*"
      },
      {
        Sid         = "NoOtherRole"
        Effect      = "Deny"
        Action      = "sts:AssumeRole"
        NotResource = length(local.assumable) > 0 ? local.assumable : ["arn:${local.partition}:iam::${local.account}:role/none"]
      },
    ]
  }

  execution_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "SignInToEcrWhichKnowsNoResource"
          Effect   = "Allow"
          Action   = "ecr:GetAuthorizationToken"
          Resource = "*"
        },
        {
          Sid      = "PullTheTwoImages"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = var.repository_arns
        },
        {
          Sid      = "WriteTheLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = local.log_streams
        },
      ],
      length(local.execution_secrets) > 0 ? [{
        Sid      = "InjectTheseIntoSidekey"
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = local.execution_secrets
      }] : [],
      length(local.execution_parameters) > 0 ? [{
        Sid      = "InjectTheseParametersIntoSidekey"
        Effect   = "Allow"
        Action   = "ssm:GetParameters"
        Resource = local.execution_parameters
      }] : [],
      length(var.secrets) * length(var.kms_key_arns) > 0 ? [{
        Sid      = "OnlyForThoseUnderACustomerManagedKey"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = var.kms_key_arns
        Condition = {
          StringEquals = {
            "kms:ViaService" = [
              "secretsmanager.${var.region}.${local.dns_suffix}",
              "ssm.${var.region}.${local.dns_suffix}",
            ]
          }
        }
      }] : []
    )
  }
  log_streams = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:${local.log_group}:log-stream:*"
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  description        = "The task of ${var.name}, the agent included"
  assume_role_policy = jsonencode(local.task_trust)
}

resource "aws_iam_role_policy" "task_assume" {
  count  = local.reader ? 1 : 0
  name   = "assume"
  role   = aws_iam_role.task.id
  policy = jsonencode(local.assume_policy)
}

resource "aws_iam_role_policy" "task_deny" {
  name   = "deny"
  role   = aws_iam_role.task.id
  policy = jsonencode(local.deny_policy)
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  description        = "What ECS does to start ${var.name}; no container has it"
  assume_role_policy = jsonencode(local.task_trust)
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = jsonencode(local.execution_policy)
}

resource "aws_iam_role" "reader" {
  count                = local.reader ? 1 : 0
  name                 = "${var.name}-reader"
  description          = "sidekey of ${var.name}: reads what its configuration names"
  assume_role_policy   = jsonencode(local.role_trust)
  max_session_duration = 3600 # what a role gets at most that another assumes
}

resource "aws_iam_role_policy" "reader" {
  count  = local.reader && length(local.reader_policy.Statement) > 0 ? 1 : 0
  name   = "read"
  role   = aws_iam_role.reader[0].id
  policy = jsonencode(local.reader_policy)
}

resource "aws_iam_role" "invoke" {
  count                = local.reader && local.bedrock ? 1 : 0
  name                 = "${var.name}-invoke"
  description          = "sidekey of ${var.name}: calls the named models"
  assume_role_policy   = jsonencode(local.role_trust)
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "invoke" {
  count  = local.reader && local.bedrock ? 1 : 0
  name   = "invoke"
  role   = aws_iam_role.invoke[0].id
  policy = jsonencode(local.invoke_policy)
}
