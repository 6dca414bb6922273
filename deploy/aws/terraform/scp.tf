# Attach it to the account or its organisational unit, from the management account: the module only
# writes the document. A service control policy grants nothing and does not bind the management
# account itself.
data "aws_iam_policy_document" "protect" {
  statement {
    sid    = "OnlyTheRevokerWritesDenies"
    effect = "Deny"
    actions = [
      "iam:PutRolePolicy",
      "iam:DeleteRolePolicy",
      "iam:AttachRolePolicy",
      "iam:DetachRolePolicy",
    ]
    resources = ["arn:${data.aws_partition.this.partition}:iam::*:role/mayfly-*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.revoker_and_provisioners
    }
  }

  statement {
    sid    = "OnlyTheRevokerWritesManagedDenies"
    effect = "Deny"
    actions = [
      "iam:CreatePolicy",
      "iam:CreatePolicyVersion",
      "iam:DeletePolicy",
      "iam:DeletePolicyVersion",
      "iam:SetDefaultPolicyVersion",
    ]
    resources = ["arn:${data.aws_partition.this.partition}:iam::*:policy/MayflyRevokedSessions-*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = [local.revoker_everywhere]
    }
  }

  statement {
    sid    = "NobodyChangesWhoMayBecomeThem"
    effect = "Deny"
    actions = [
      "iam:UpdateAssumeRolePolicy",
      "iam:DeleteRole",
      "iam:DeleteRolePermissionsBoundary",
      "iam:PutRolePermissionsBoundary",
    ]
    resources = ["arn:${data.aws_partition.this.partition}:iam::*:role/mayfly-*"]

    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = local.provisioners
    }
  }
}

locals {
  revoker_everywhere       = "arn:${data.aws_partition.this.partition}:iam::*:role/mayfly-broker-revoker"
  provisioners             = length(var.provisioner_arns) > 0 ? var.provisioner_arns : [local.revoker_everywhere]
  revoker_and_provisioners = concat([local.revoker_everywhere], var.provisioner_arns)
}
