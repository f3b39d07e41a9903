# SPDX-License-Identifier: Apache-2.0
# The second layout: the key is injected when the task starts. Rotation needs a redeploy.

provider "aws" {
  region = "us-east-1"
}

module "agent" {
  source = "../.."

  name          = "agent"
  layout        = "env"
  region        = "us-east-1"
  sidekey_image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sidekey:0.1.0"
  agent = {
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/agent:1"
  }

  config = {
    targets = {
      litellm = {
        provider = "litellm"
        apiBase  = "https://litellm.example.com"
        apiKey   = "env:LITELLM_API_KEY"
      }
    }
  }
  secrets = {
    LITELLM_API_KEY = "arn:aws:secretsmanager:us-east-1:123456789012:secret:litellm-proxy-AbCdEf"
  }
  repository_arns = [
    "arn:aws:ecr:us-east-1:123456789012:repository/sidekey",
    "arn:aws:ecr:us-east-1:123456789012:repository/agent",
  ]
  upstream_cidrs = ["203.0.113.10/32"] # litellm.example.com

  vpc_id          = "vpc-0123456789abcdef0"
  subnet_ids      = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  route_table_ids = ["rtb-0123456789abcdef0"]
  cluster_arn     = "arn:aws:ecs:us-east-1:123456789012:cluster/agents"
}
