variable "broker_principals" {
  description = "ARNs of what the broker and the worker run as (instance, task or IRSA role). They may assume the minter and the revoker."
  type        = list(string)

  validation {
    condition     = length(var.broker_principals) > 0 && !contains(var.broker_principals, "*")
    error_message = "Name the principals; a wildcard would let anyone mint."
  }
}

variable "external_id" {
  description = "Secret-like text that the minter must present to assume a target role; the connection's externalId."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@:/-]{16,1224}$", var.external_id))
    error_message = "16 characters at least, of those that AWS takes in an external id."
  }
}

variable "target_roles" {
  description = "Roles that leases may be for, by name, with what each may do at most: a JSON policy document. Session policies only narrow it."
  type = map(object({
    policy_json                  = string
    max_session_duration_seconds = optional(number, 3600)
  }))

  validation {
    condition     = alltrue([for name in keys(var.target_roles) : can(regex("^mayfly-[A-Za-z0-9_-]{1,50}$", name))])
    error_message = "Names begin with mayfly-: the rights of the minter and the revoker go by that prefix."
  }
}

variable "provisioner_arns" {
  description = "ARNs (patterns allowed) that may still provision mayfly-* roles under the service control policy: what runs this module."
  type        = list(string)
  default     = []
}

variable "tags" {
  description = "Tags for everything that can have them."
  type        = map(string)
  default     = {}
}
