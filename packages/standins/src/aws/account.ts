import { randomBytes } from 'node:crypto'

import { makeInlinePolicies, type InlinePolicies } from './inline-policies.ts'
import {
  makeAttachments,
  makeManagedPolicies,
  type Attachments,
  type ManagedPolicies,
} from './managed-policies.ts'
import { parsePolicy, type Statement } from './policy-document.ts'

export interface AwsRole {
  readonly name: string
  /** 3,600 unless told, as in IAM. */
  readonly maxSessionDurationSeconds?: number
  /** ARNs that may assume the role, tag the session and set its source identity. */
  readonly trustedPrincipals?: readonly string[]
  /** A whole trust policy in place of `trustedPrincipals`, for conditions. */
  readonly trustPolicy?: unknown
  /** Inline policy documents by name. */
  readonly policies: Readonly<Record<string, unknown>>
}

export interface AwsAccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** ARN of the IAM user that the key belongs to. */
  readonly principal: string
  /** Identity policy documents. */
  readonly policies: readonly unknown[]
}

export interface Role {
  readonly name: string
  readonly arn: string
  readonly id: string
  readonly maxSessionDurationSeconds: number
  readonly trust: readonly Statement[]
  readonly inline: InlinePolicies
  readonly attached: Attachments
}

export interface User {
  readonly secretAccessKey: string
  readonly arn: string
  readonly id: string
  readonly statements: readonly Statement[]
}

export interface Session {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly role: Role
  readonly sessionName: string
  readonly sourceIdentity: string | undefined
  readonly tags: ReadonlyMap<string, string>
  readonly policy: string | undefined
  /** Inline session policy and policy ARNs together; null when the caller gave neither. */
  readonly statements: readonly Statement[] | null
  readonly issuedAt: Date
  readonly expiresAt: Date
}

/** One AWS account: everything the stand-in knows. */
export interface Account {
  readonly id: string
  readonly roles: ReadonlyMap<string, Role>
  readonly users: ReadonlyMap<string, User>
  readonly managed: ManagedPolicies
  /** What the organisation forbids whatever the account allows. */
  readonly organisation: readonly Statement[]
  readonly sessions: Map<string, Session>
  readonly objects: Map<string, Buffer>
  now(): Date
}

export interface AccountOptions {
  readonly account: string
  readonly roles: readonly AwsRole[]
  readonly accessKeys: readonly AwsAccessKey[]
  /** Documents of managed policies by ARN: for `PolicyArns`, or to be attached. */
  readonly managedPolicies?: Readonly<Record<string, unknown>>
  /** Managed policies that may be attached to one role. 10 unless told, as in IAM. */
  readonly attachedPolicyQuota?: number
  /** Service control policies: only what they deny is looked at. */
  readonly serviceControlPolicies?: readonly unknown[]
  readonly clock?: { now(): Date }
  /** How long a change of a role's policy takes to count. 200 unless told. */
  readonly propagationMs?: number
}

export function makeAccount(options: AccountOptions): Account {
  const now = () => options.clock?.now() ?? new Date()
  const propagation = { now, propagationMs: options.propagationMs ?? 200 }
  const managed = makeManagedPolicies(options.account, options.managedPolicies ?? {}, propagation)
  const attachments = { ...propagation, quota: options.attachedPolicyQuota ?? 10 }
  const roles = options.roles.map((role): [string, Role] => {
    const arn = `arn:aws:iam::${options.account}:role/${role.name}`
    return [
      arn,
      {
        name: role.name,
        arn,
        id: randomId('AROA'),
        maxSessionDurationSeconds: role.maxSessionDurationSeconds ?? 3600,
        trust: parsePolicy(role.trustPolicy ?? trusting(role.trustedPrincipals ?? []), 'trust'),
        inline: makeInlinePolicies(role.policies, propagation),
        attached: makeAttachments(managed, attachments),
      },
    ]
  })
  const users = options.accessKeys.map((key): [string, User] => [
    key.accessKeyId,
    {
      secretAccessKey: key.secretAccessKey,
      arn: key.principal,
      id: randomId('AIDA'),
      statements: key.policies.flatMap((document) => parsePolicy(document)),
    },
  ])
  return {
    id: options.account,
    roles: new Map(roles),
    users: new Map(users),
    managed,
    organisation: (options.serviceControlPolicies ?? []).flatMap((document) =>
      parsePolicy(document),
    ),
    sessions: new Map(),
    objects: new Map(),
    now,
  }
}

/** A unique id as IAM makes them: a prefix for the kind and 16 upper-case characters. */
export function randomId(prefix: 'AROA' | 'AIDA' | 'ASIA'): string {
  return prefix + randomBytes(8).toString('hex').toUpperCase()
}

function trusting(principals: readonly string[]): unknown {
  const Action = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity']
  // A role that nobody may assume still needs a policy that parses.
  const Principal = {
    AWS: principals.length > 0 ? principals : ['arn:aws:iam::000000000000:user/nobody'],
  }
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal, Action }] }
}
