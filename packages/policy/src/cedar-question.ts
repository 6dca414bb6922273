import { fillText, type Issuer, type PolicyQuestion, type ScopeTemplate } from '@mayfly/core'
import type { CedarValueJson } from '@cedar-policy/cedar-wasm/nodejs'

import type { CedarCall } from './cedar-slots.ts'
import { hasImmutableIdentity } from './immutable-identity.ts'

/** What a template's questions are asked about, besides the question itself. */
export interface QuestionWorld {
  readonly template: ScopeTemplate
  /** The environment of the template's connection. */
  readonly targetEnvironment: string
  readonly issuers: ReadonlyMap<string, Issuer>
}

/** Puts a question into Cedar's terms. Every fact is the broker's own or was verified (R45). */
export function toCedarCall(world: QuestionWorld, question: PolicyQuestion): CedarCall {
  const { template, targetEnvironment } = world
  const { agent, action, parameters } = question
  const principal = { type: 'Mayfly::Agent', id: agent.name }
  const owner = { type: 'Mayfly::Owner', id: agent.owner }
  const resource = {
    type: `Mayfly::${template.resource.type}`,
    id: spelledOnce(template.resource.type, fillText(template.resource.id, parameters)),
  }
  return {
    principal,
    action: { type: 'Mayfly::Action', id: action },
    resource,
    context: contextOf(template, question),
    entities: [
      { uid: owner, attrs: { active: question.ownerActive }, parents: [] },
      { uid: principal, attrs: agentAttributes(world, question, owner), parents: [] },
      { uid: resource, attrs: { env: targetEnvironment }, parents: [] },
    ],
  }
}

/** GitHub and DNS ignore case: a forbid on `acme/policies` must also meet `Acme/Policies` (R44). */
function spelledOnce(type: string, id: string): string {
  return type === 'Repo' || type === 'Host' ? id.toLowerCase() : id
}

function agentAttributes(
  { issuers }: QuestionWorld,
  { agent, issuer, claims }: PolicyQuestion,
  owner: { readonly type: string; readonly id: string },
): Record<string, CedarValueJson> {
  const vouching = issuers.get(issuer)
  return {
    name: agent.name,
    owner: { __entity: owner },
    kind: agent.agentKind,
    team: agent.team,
    env: agent.environment,
    quarantined: agent.quarantined,
    immutable: hasImmutableIdentity(agent, vouching),
    issuer,
    issuerEnvs: [...(vouching?.environments ?? [])],
    claims: claims as Record<string, CedarValueJson>, // verified JSON; Cedar checks it by the schema
  }
}

function contextOf(
  template: ScopeTemplate,
  { now, taskId, ttlSeconds, declared, parameters }: PolicyQuestion,
): Record<string, CedarValueJson> {
  return {
    now: datetime(now),
    taskId,
    ttl: ttlSeconds,
    declared: [...declared],
    params: { ...parameters },
    template: {
      name: template.name,
      owner: template.owner,
      risk: template.risk,
      reviewBy: datetime(template.reviewBy),
      env: template.environment,
      events: [...(template.events ?? [])],
    },
  }
}

function datetime(instant: Date): CedarValueJson {
  return { __extn: { fn: 'datetime', arg: instant.toISOString() } }
}
