data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  iam           = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}"
  target_arns   = [for name in keys(var.target_roles) : "${local.iam}:role/${name}"]
  deny_policies = "${local.iam}:policy/MayflyRevokedSessions-mayfly-*"
}

# Who may become the minter or the revoker: what the broker and the worker run as, and nothing else.
data "aws_iam_policy_document" "broker_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.broker_principals
    }
  }
}

# The minter assumes target roles. It has no other right: it could lift no Deny.
resource "aws_iam_role" "minter" {
  name                 = "mayfly-broker-minter"
  assume_role_policy   = data.aws_iam_policy_document.broker_trust.json
  max_session_duration = 3600
  tags                 = var.tags
}

data "aws_iam_policy_document" "minter" {
  statement {
    sid       = "AssumeTargets"
    actions   = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    resources = local.target_arns
  }
}

resource "aws_iam_role_policy" "minter" {
  name   = "AssumeTargets"
  role   = aws_iam_role.minter.id
  policy = data.aws_iam_policy_document.minter.json
}

# The revoker writes deny policies on target roles. It can assume nothing, and grant nothing: the
# managed policies that it may make and attach bear names that no other policy has.
resource "aws_iam_role" "revoker" {
  name                 = "mayfly-broker-revoker"
  assume_role_policy   = data.aws_iam_policy_document.broker_trust.json
  max_session_duration = 3600
  tags                 = var.tags
}

data "aws_iam_policy_document" "revoker" {
  statement {
    sid       = "InlineDeny"
    actions   = ["iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:ListAttachedRolePolicies"]
    resources = local.target_arns
  }

  statement {
    sid       = "AttachDeny"
    actions   = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    resources = local.target_arns

    condition {
      test     = "ArnLike"
      variable = "iam:PolicyARN"
      values   = [local.deny_policies]
    }
  }

  statement {
    sid = "ManagedDeny"
    actions = [
      "iam:CreatePolicy",
      "iam:CreatePolicyVersion",
      "iam:DeletePolicyVersion",
      "iam:GetPolicyVersion",
      "iam:ListPolicyVersions",
    ]
    resources = [local.deny_policies]
  }
}

resource "aws_iam_role_policy" "revoker" {
  name   = "WriteDenies"
  role   = aws_iam_role.revoker.id
  policy = data.aws_iam_policy_document.revoker.json
}

# Only the minter, only for a lease, only with a task and an owner on the session.
data "aws_iam_policy_document" "target_trust" {
  statement {
    sid     = "LeaseSessionsOnly"
    actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.minter.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }

    condition {
      test     = "StringLike"
      variable = "sts:RoleSessionName"
      values   = ["lea_*"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/mayfly:task"
      values   = ["tsk_*"]
    }

    condition {
      test     = "StringLike"
      variable = "sts:SourceIdentity"
      values   = ["*"]
    }

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "aws:TagKeys"
      values   = ["mayfly:task", "mayfly:agent", "mayfly:template"]
    }
  }
}

resource "aws_iam_role" "target" {
  for_each = var.target_roles

  name                 = each.key
  assume_role_policy   = data.aws_iam_policy_document.target_trust.json
  max_session_duration = each.value.max_session_duration_seconds
  tags                 = var.tags
}

# Managed, not inline: the inline policies of a role share their room with its Denies. What may be
# attached or inline on the role besides is Mayfly's business, so neither is managed exclusively here.
resource "aws_iam_policy" "target" {
  for_each = var.target_roles

  name   = "${each.key}-access"
  policy = each.value.policy_json
  tags   = var.tags
}

resource "aws_iam_role_policy_attachment" "target" {
  for_each = var.target_roles

  role       = aws_iam_role.target[each.key].name
  policy_arn = aws_iam_policy.target[each.key].arn
}
