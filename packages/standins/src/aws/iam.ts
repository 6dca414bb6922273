import type { Account, Role } from './account.ts'
import { AwsError } from './aws-error.ts'
import { assertAllowed, type Caller } from './caller.ts'
import type { ManagedPolicy, PolicyVersion } from './managed-policies.ts'
import type { XmlNode } from './xml.ts'

type RoleOperation = (role: Role, params: URLSearchParams, account: Account) => XmlNode

const ON_ROLES: Readonly<Record<string, RoleOperation>> = {
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
  ListAttachedRolePolicies: (role, _params, { managed }) => ({
    AttachedPolicies: {
      member: role.attached.list().map((arn) => ({
        PolicyName: managed.find(arn)?.name ?? '',
        PolicyArn: arn,
      })),
    },
    IsTruncated: 'false',
  }),
  AttachRolePolicy(role, params) {
    role.attached.attach(params.get('PolicyArn') ?? '')
    return {}
  },
  DetachRolePolicy(role, params) {
    role.attached.detach(params.get('PolicyArn') ?? '')
    return {}
  },
}

type PolicyOperation = (arn: string, params: URLSearchParams, account: Account) => XmlNode

const ON_POLICIES: Readonly<Record<string, PolicyOperation>> = {
  CreatePolicy(_arn, params, { managed }) {
    const made = managed.create(policyName(params), params.get('PolicyDocument') ?? '')
    return {
      Policy: { PolicyName: made.name, Arn: made.arn, DefaultVersionId: 'v1', Path: '/' },
    }
  },
  CreatePolicyVersion(arn, params, { managed }) {
    const asDefault = params.get('SetAsDefault') === 'true'
    const document = params.get('PolicyDocument') ?? ''
    const added = managed.addVersion(arn, document, asDefault)
    return { PolicyVersion: { VersionId: added.id, IsDefaultVersion: String(asDefault) } }
  },
  DeletePolicyVersion(arn, params, { managed }) {
    managed.deleteVersion(arn, params.get('VersionId') ?? '')
    return {}
  },
  GetPolicyVersion(arn, params, account) {
    const policy = existing(account, arn)
    const found = policy.versions.find(({ id }) => id === params.get('VersionId'))
    if (!found) throw new AwsError(404, 'NoSuchEntity', `Policy ${arn} has no such version.`)
    const Document = encodeURIComponent(found.document)
    return { PolicyVersion: { Document, ...describe(policy, found) } }
  },
  ListPolicyVersions(arn, _params, account) {
    const policy = existing(account, arn)
    return {
      Versions: { member: policy.versions.map((version) => describe(policy, version)) },
      IsTruncated: 'false',
    }
  },
}

/** One IAM call of those that Mayfly's revoker is allowed, and `GetRole`. */
export function callIam(account: Account, caller: Caller, params: URLSearchParams): XmlNode {
  const action = params.get('Action') ?? ''
  if (Object.hasOwn(ON_ROLES, action)) return callOnRole(account, caller, params)
  const operation = Object.hasOwn(ON_POLICIES, action) ? ON_POLICIES[action] : undefined
  if (!operation) throw new AwsError(400, 'InvalidAction', `Could not find operation ${action}`)
  const arn =
    action === 'CreatePolicy'
      ? `arn:aws:iam::${account.id}:policy/${policyName(params)}`
      : (params.get('PolicyArn') ?? '')
  assertAllowed(caller, `iam:${action}`, arn)
  return operation(arn, params, account)
}

function callOnRole(account: Account, caller: Caller, params: URLSearchParams): XmlNode {
  const action = params.get('Action') ?? ''
  const arn = `arn:aws:iam::${account.id}:role/${params.get('RoleName') ?? ''}`
  const policyArn = params.get('PolicyArn')
  const context = policyArn === null ? [] : [['iam:policyarn', [policyArn]] as const]
  assertAllowed(caller, `iam:${action}`, arn, new Map(context))
  const role = account.roles.get(arn)
  if (!role) throw new AwsError(404, 'NoSuchEntity', 'The role cannot be found.')
  return ON_ROLES[action]?.(role, params, account) ?? {}
}

function existing({ managed }: Account, arn: string): ManagedPolicy {
  const found = managed.find(arn)
  if (!found) throw new AwsError(404, 'NoSuchEntity', `Policy ${arn} does not exist.`)
  return found
}

function describe({ current }: ManagedPolicy, { id }: PolicyVersion) {
  return { VersionId: id, IsDefaultVersion: String(current.latest().id === id) }
}

function policyName(params: URLSearchParams): string {
  const name = params.get('PolicyName') ?? ''
  if (!/^[\w+=,.@-]{1,128}$/.test(name))
    throw new AwsError(400, 'ValidationError', 'The policy name is not valid.')
  return name
}
