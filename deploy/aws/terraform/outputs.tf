output "minter_role_arn" {
  description = "For the profile that the connection names as minter."
  value       = aws_iam_role.minter.arn
}

output "revoker_role_arn" {
  description = "For the profile that the connection names as revoker."
  value       = aws_iam_role.revoker.arn
}

output "target_role_arns" {
  description = "The connection's allowedRoles."
  value       = [for role in aws_iam_role.target : role.arn]
}

output "service_control_policy_json" {
  description = "To be attached to the account from the management account of the organisation."
  value       = data.aws_iam_policy_document.protect.json
}
