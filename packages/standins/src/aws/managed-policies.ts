import { AwsError } from './aws-error.ts'
import { makeDelayed, type Delayed, type Propagation } from './delayed.ts'
import { parsePolicy, type Statement } from './policy-document.ts'

/** IAM quotas: one managed policy without whitespace, its versions, and those that an account has. */
const MAX_CHARACTERS = 6144
const MAX_VERSIONS = 5
const MAX_POLICIES = 1500

export interface PolicyVersion {
  readonly id: string
  readonly document: string
  readonly statements: readonly Statement[]
}

export interface ManagedPolicy {
  readonly name: string
  readonly arn: string
  readonly versions: readonly PolicyVersion[]
  /** The default version: changes of it count with a delay. */
  readonly current: Delayed<PolicyVersion>
}

/** The managed policies of one account, those of AWS among them. */
export interface ManagedPolicies {
  readonly find: (arn: string) => ManagedPolicy | undefined
  readonly create: (name: string, document: string) => ManagedPolicy
  readonly addVersion: (arn: string, document: string, asDefault: boolean) => PolicyVersion
  readonly deleteVersion: (arn: string, id: string) => void
}

export function makeManagedPolicies(
  account: string,
  initial: Readonly<Record<string, unknown>>,
  propagation: Propagation,
): ManagedPolicies {
  const policies = new Map<string, ManagedPolicy>()
  const put = (arn: string, document: string): ManagedPolicy => {
    const first = version('v1', document)
    const current = makeDelayed(first, propagation)
    const made = { name: arn.split('/').at(-1) ?? '', arn, versions: [first], current }
    policies.set(arn, made)
    return made
  }
  for (const [arn, document] of Object.entries(initial)) put(arn, JSON.stringify(document))

  function existing(arn: string): ManagedPolicy {
    const found = policies.get(arn)
    if (!found) throw new AwsError(404, 'NoSuchEntity', `Policy ${arn} does not exist.`)
    return found
  }

  return {
    find: (arn) => policies.get(arn),
    create(name, document) {
      const arn = `arn:aws:iam::${account}:policy/${name}`
      // Names of policies are not case-sensitive in IAM.
      if ([...policies.keys()].some((other) => other.toLowerCase() === arn.toLowerCase()))
        throw new AwsError(409, 'EntityAlreadyExists', `A policy called ${name} already exists.`)
      if (policies.size >= MAX_POLICIES) throw limit('policies per account', MAX_POLICIES)
      checkSize(document)
      return put(arn, document)
    },
    addVersion(arn, document, asDefault) {
      const policy = existing(arn)
      if (policy.versions.length >= MAX_VERSIONS) throw limit('versions per policy', MAX_VERSIONS)
      checkSize(document)
      const highest = Math.max(...policy.versions.map(({ id }) => Number(id.slice(1))))
      const added = version(`v${String(highest + 1)}`, document)
      policies.set(arn, { ...policy, versions: [...policy.versions, added] })
      if (asDefault) policy.current.write(added)
      return added
    },
    deleteVersion(arn, id) {
      const policy = existing(arn)
      if (!policy.versions.some((one) => one.id === id))
        throw new AwsError(404, 'NoSuchEntity', `Policy ${arn} version ${id} does not exist.`)
      if (policy.current.latest().id === id)
        throw new AwsError(409, 'DeleteConflict', 'Cannot delete the default version of a policy.')
      policies.set(arn, {
        ...policy,
        versions: policy.versions.filter((one) => one.id !== id),
      })
    },
  }
}

/** The managed policies attached to one role. */
export interface Attachments {
  readonly list: () => readonly string[]
  readonly attach: (arn: string) => void
  readonly detach: (arn: string) => void
  readonly effective: (at: Date) => readonly Statement[]
}

export function makeAttachments(
  managed: ManagedPolicies,
  { quota, ...propagation }: Propagation & { readonly quota: number },
): Attachments {
  const attached = makeDelayed<ReadonlySet<string>>(new Set(), propagation)
  return {
    list: () => [...attached.latest()],
    attach(arn) {
      if (!managed.find(arn))
        throw new AwsError(404, 'NoSuchEntity', `Policy ${arn} does not exist.`)
      const arns = attached.latest()
      if (arns.has(arn)) return
      if (arns.size >= quota) throw limit('policies per role', quota)
      attached.write(new Set([...arns, arn]))
    },
    detach(arn) {
      const arns = attached.latest()
      if (!arns.has(arn)) throw new AwsError(404, 'NoSuchEntity', `Policy ${arn} was not found.`)
      attached.write(new Set([...arns].filter((other) => other !== arn)))
    },
    effective: (at) =>
      [...attached.effective(at)].flatMap(
        (arn) => managed.find(arn)?.current.effective(at).statements ?? [],
      ),
  }
}

function version(id: string, document: string): PolicyVersion {
  return { id, document, statements: parsePolicy(document) }
}

function checkSize(document: string): void {
  if (document.replace(/\s/g, '').length > MAX_CHARACTERS)
    throw limit('characters per policy', MAX_CHARACTERS)
}

function limit(what: string, quota: number): AwsError {
  return new AwsError(409, 'LimitExceeded', `Cannot exceed quota for ${what}: ${String(quota)}`)
}
