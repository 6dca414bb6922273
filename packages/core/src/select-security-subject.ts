import type { PolicySet } from './policy-set.ts'
import type { SecuritySubject } from './security-event.ts'
import type { Selector } from './selector.ts'

export interface SubjectSelection {
  readonly selector: Selector
  /** Somebody whom the policy set names, so that a freeze on them means something. */
  readonly known: boolean
}

type Registry = Pick<PolicySet, 'agents' | 'issuers' | 'owners'>

/** Ids of open tasks that were opened or renewed with a token. */
export type TasksOfToken = (
  issuers: readonly string[],
  tokenId: string,
) => Promise<readonly string[]>

/** Whose leases an event is about. An owner or agent that is gone from the set may still have some. */
export async function selectSecuritySubject(
  subject: SecuritySubject,
  registry: Registry,
  tasksOfToken: TasksOfToken,
): Promise<readonly SubjectSelection[]> {
  switch (subject.format) {
    case 'email':
      return ownerCalled(subject.email, registry)
    case 'iss_sub':
      return [...subjectsOf(subject, registry), ...knownOnly(ownerCalled(subject.sub, registry))]
    case 'opaque':
      return [agentCalled(subject.id, registry), ...ownerCalled(subject.id, registry)]
    case 'jwt_id': {
      const tasks = await tasksOfToken(issuersOf(subject.iss, registry), subject.jti)
      return tasks.map((task) => ({ selector: { task }, known: true }))
    }
  }
}

/** Addresses are compared without case: directories do, and so do the people who type them. */
function ownerCalled(name: string, { owners }: Registry): readonly SubjectSelection[] {
  const spellings = [...owners.keys()].filter((one) => one.toLowerCase() === name.toLowerCase())
  if (spellings.length === 0) return [{ selector: { owner: name }, known: false }]
  return spellings.map((owner) => ({ selector: { owner }, known: true }))
}

function knownOnly(selections: readonly SubjectSelection[]): readonly SubjectSelection[] {
  return selections.filter(({ known }) => known)
}

function agentCalled(agent: string, { agents }: Registry): SubjectSelection {
  return { selector: { agent }, known: agents.some(({ name }) => name === agent) }
}

function subjectsOf(
  { iss, sub }: Extract<SecuritySubject, { format: 'iss_sub' }>,
  registry: Registry,
): readonly SubjectSelection[] {
  return issuersOf(iss, registry).map((issuer) => ({
    selector: { subject: `${issuer}#${sub}` },
    known: true,
  }))
}

/** By its `iss`; a SPIFFE trust domain by its URI. */
function issuersOf(iss: string, { issuers }: Registry): readonly string[] {
  return issuers
    .filter(({ issuer, trustDomain, tokenClass }) => {
      if (tokenClass !== 'workload') return false
      return issuer === iss || (trustDomain !== undefined && iss === `spiffe://${trustDomain}`)
    })
    .map(({ name }) => name)
}
