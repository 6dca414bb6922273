# What the broker's own token may do. Anything less and a lease cannot be ended; anything more is
# not needed. The token role limits what it can mint; this policy limits which role.

path "auth/token/create/mayfly" {
  capabilities = ["update"]
}

# Content-addressed: read to compare, update to write what is absent.
path "sys/policies/acl/mayfly-*" {
  capabilities = ["read", "update"]
}

path "auth/token/revoke-accessor" {
  capabilities = ["update"]
}

path "auth/token/lookup-accessor" {
  capabilities = ["update"]
}

# Finds a token whose answer was lost. Without it such a token lives until its own end.
path "auth/token/accessors/" {
  capabilities = ["list", "sudo"]
}

# Database users.
path "sys/leases/revoke" {
  capabilities = ["update"]
}

path "sys/leases/lookup" {
  capabilities = ["update"]
}
