# SPDX-License-Identifier: Apache-2.0

output "task_definition_arn" {
  value       = aws_ecs_task_definition.this.arn
  description = "For `aws ecs run-task` or a service of your own."
}

output "security_group_id" {
  value       = aws_security_group.task.id
  description = "The task's security group."
}

output "task_role_name" {
  value       = aws_iam_role.task.name
  description = "Attach what the agent's own work needs; the denials stay in force."
}

output "role_arns" {
  value       = local.role_arns
  description = "The roles' ARNs, for a key policy or the secrets' own policies."
}
