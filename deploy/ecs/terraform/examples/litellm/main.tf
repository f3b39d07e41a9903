# SPDX-License-Identifier: Apache-2.0
# An agent that calls a LiteLLM proxy behind Cloudflare Access, and Claude on Bedrock.

provider "aws" {
  region = "us-east-1"
}

module "agent" {
  source = "../.."

  name          = "agent"
  region        = "us-east-1"
  sidekey_image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sidekey:0.1.0"
  agent = {
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/agent:1"
    environment = {
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME = "http://127.0.0.1:7717/bedrock"
      AWS_ACCESS_KEY_ID                = "none"
      AWS_SECRET_ACCESS_KEY            = "none"
    }
  }

  config = {
    targets = {
      litellm = {
        provider = "litellm"
        apiBase  = "https://litellm.example.com"
        apiKey   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:litellm-proxy-AbCdEf"
        cloudflareAccess = {
          clientId     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:cf-access-XyZ123:client_id::"
          clientSecret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:cf-access-XyZ123:client_secret::"
        }
      }
      bedrock = {
        provider = "bedrock"
        region   = "us-east-1"
      }
    }
    models = [
      { match = "us.anthropic.*", target = "bedrock" },
      { match = "gpt-4o", target = "litellm" },
    ]
    defaultTarget = "litellm"
  }

  inference_profiles = {
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0" = [
      "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-20250514-v1:0",
      "arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-sonnet-4-20250514-v1:0",
      "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-sonnet-4-20250514-v1:0",
    ]
  }
  repository_arns = [
    "arn:aws:ecr:us-east-1:123456789012:repository/sidekey",
    "arn:aws:ecr:us-east-1:123456789012:repository/agent",
  ]
  upstream_cidrs    = ["203.0.113.10/32"] # litellm.example.com
  further_endpoints = ["bedrock-runtime"]

  vpc_id          = "vpc-0123456789abcdef0"
  subnet_ids      = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  route_table_ids = ["rtb-0123456789abcdef0"]
  cluster_arn     = "arn:aws:ecs:us-east-1:123456789012:cluster/agents"
}
