# SPDX-License-Identifier: Apache-2.0

# ---- what runs ----

variable "name" {
  type        = string
  default     = "agent"
  description = "Family of the task; what is made is named after it."

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,31}$", var.name))
    error_message = "Use up to 32 letters, digits and hyphens, a letter first."
  }
}

variable "layout" {
  type        = string
  default     = "reader"
  description = "reader: sidekey fetches and renews by ARN, through roles that the agent cannot assume. env: the execution role injects the keys when the task starts; rotation needs a redeploy."

  validation {
    condition     = contains(["reader", "env"], var.layout)
    error_message = "Use reader or env."
  }
}

variable "config" {
  type        = any
  description = "sidekey's configuration as an object. In the reader layout aws.credentials and aws.assumeRole are added, and what its ARNs name is what may be read. Write $${env:NAME} for a reference inside a text."

  validation {
    condition     = can(keys(var.config.targets))
    error_message = "targets is missing: see Configuration in sidekey's README."
  }

  validation {
    condition = alltrue([
      for arn in regexall("arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]+", jsonencode(var.config)) :
      can(regex("-[A-Za-z0-9]{6}$", arn))
    ])
    error_message = "Write the whole ARN of each secret, with the hyphen and six characters at its end: a role cannot be held to the one secret otherwise."
  }
}

variable "secrets" {
  type        = map(string)
  default     = {}
  description = "Variables of sidekey's container alone, for env: references: name to ARN of a secret (with :json-key:: if need be) or of a parameter. Read once, when the task starts."
}

variable "sidekey_image" {
  type        = string
  description = "sidekey's image, by digest if you can."
}

variable "agent" {
  type = object({
    image         = string
    command       = optional(list(string))
    user          = optional(string, "1000:1000")
    environment   = optional(map(string), {})
    readonly_root = optional(bool, true)
    writable      = optional(list(string), [])
  })
  description = "The agent's container. writable: folders on task storage; give each a VOLUME of the agent's user in the image, or it belongs to root."

  validation {
    condition     = !contains(["0", "root", "65532"], split(":", var.agent.user)[0])
    error_message = "The agent must be neither root nor sidekey's user, 65532."
  }
}

variable "launch_type" {
  type        = string
  default     = "FARGATE"
  description = "FARGATE, or EC2: there the instances must run with ECS_AWSVPC_BLOCK_IMDS=true."

  validation {
    condition     = contains(["FARGATE", "EC2"], var.launch_type)
    error_message = "Use FARGATE or EC2."
  }
}

variable "architecture" {
  type        = string
  default     = "X86_64"
  description = "X86_64 or ARM64."
}

variable "cpu" {
  type        = number
  default     = 512
  description = "CPU units of the task."
}

variable "memory" {
  type        = number
  default     = 1024
  description = "Memory of the task, in MiB."
}

variable "stop_timeout" {
  type        = number
  default     = 120
  description = "Seconds that the agent gets to finish its calls; Fargate takes 120 at most."

  validation {
    condition     = var.stop_timeout >= 2 && var.stop_timeout <= 120
    error_message = "Use 2 to 120 seconds."
  }
}

# ---- what it may reach ----

variable "kms_key_arns" {
  type        = list(string)
  default     = []
  description = "Customer managed keys that the secrets and parameters are under."
}

variable "model_arns" {
  type        = list(string)
  default     = []
  description = "Bedrock foundation models that may be invoked by their own name."
}

variable "inference_profiles" {
  type        = map(list(string))
  default     = {}
  description = "Bedrock inference profiles that may be invoked: ARN of the profile to ARNs of the foundation models behind it, which are then allowed through it alone."
}

variable "repository_arns" {
  type        = list(string)
  description = "ECR repositories of the two images."
}

variable "upstream_cidrs" {
  type        = list(string)
  description = "Where the apiBases are. The agent shares the task's network, and so reaches them too."
}

# ---- where ----

variable "region" {
  type        = string
  description = "Region of the task."
}

variable "vpc_id" {
  type        = string
  description = "VPC of the task, with DNS host names: the endpoints answer under the ordinary names."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets, for the task and the endpoints."
}

variable "endpoints" {
  type        = bool
  default     = true
  description = "Make the VPC endpoints that the task needs. false: the VPC has them."
}

variable "further_endpoints" {
  type        = set(string)
  default     = []
  description = "Also these: ssm, kms, bedrock-runtime."

  validation {
    condition     = length(setsubtract(var.further_endpoints, ["ssm", "kms", "bedrock-runtime"])) == 0
    error_message = "Use ssm, kms or bedrock-runtime."
  }
}

variable "route_table_ids" {
  type        = list(string)
  default     = []
  description = "Route tables of the subnets, for the gateway endpoint of S3, where ECR keeps layers."
}

variable "cluster_arn" {
  type        = string
  default     = null
  description = "Cluster to run a service in. null: make the task definition alone."
}

variable "desired_count" {
  type        = number
  default     = 1
  description = "Tasks of the service."
}

variable "log_retention_days" {
  type        = number
  default     = 365
  description = "How long the log group keeps what both containers say."
}

variable "log_kms_key_arn" {
  type        = string
  default     = null
  description = "Key for the log group; null: CloudWatch's own."
}

variable "external_id_generation" {
  type        = number
  default     = 1
  description = "Raise it to have a new external id; tasks take it up when they are replaced."
}
