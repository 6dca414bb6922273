import type { Account, Role } from './account.ts'
import { AwsError } from './aws-error.ts'
import { assertAllowed, type Caller } from './caller.ts'
import type { XmlNode } from './xml.ts'

type Operation = (role: Role, params: URLSearchParams) => XmlNode

const OPERATIONS: Readonly<Record<string, Operation>> = {
  GetRole: (role) => ({
    Role: {
      Path: '/',
      RoleName: role.name,
      RoleId: role.id,
      Arn: role.arn,
      CreateDate: '2026-01-01T00:00:00Z',
      MaxSessionDuration: role.maxSessionDurationSeconds,
    },
  }),
  GetRolePolicy: (role, params) => ({
    RoleName: role.name,
    PolicyName: policyName(params),
    PolicyDocument: encodeURIComponent(role.inline.read(policyName(params))),
  }),
  PutRolePolicy(role, params) {
    role.inline.put(policyName(params), params.get('PolicyDocument') ?? '')
    return {}
  },
  DeleteRolePolicy(role, params) {
    role.inline.remove(policyName(params))
    return {}
  },
}

/** One IAM call of those that Mayfly's revoker is allowed, and `GetRole`. */
export function callIam(account: Account, caller: Caller, params: URLSearchParams): XmlNode {
  const action = params.get('Action') ?? ''
  const operation = Object.hasOwn(OPERATIONS, action) ? OPERATIONS[action] : undefined
  if (!operation) throw new AwsError(400, 'InvalidAction', `Could not find operation ${action}`)
  const arn = `arn:aws:iam::${account.id}:role/${params.get('RoleName') ?? ''}`
  assertAllowed(caller, `iam:${action}`, arn)
  const role = account.roles.get(arn)
  if (!role) throw new AwsError(404, 'NoSuchEntity', 'The role cannot be found.')
  return operation(role, params)
}

function policyName(params: URLSearchParams): string {
  const name = params.get('PolicyName') ?? ''
  if (!/^[\w+=,.@-]{1,128}$/.test(name))
    throw new AwsError(400, 'ValidationError', 'The policy name is not valid.')
  return name
}
