import type { NearestRequest } from './decision.ts'
import { evaluateLease, type LeaseQuestion } from './evaluate-lease.ts'
import type { JsonObject } from './json.ts'
import type { ScopeTemplate } from './resources.ts'
import type { Declaration } from './task.ts'

/** A refusal must not cost many times what a grant costs. */
const MAX_DECLARATIONS = 3

/**
 * The request most like the refused one that would pass, or `null`. It stays inside what the task
 * declared, and it is found by evaluating real candidates, so that following the advice works and
 * nothing is told that asking would not have told.
 */
export function nearestRequest(question: LeaseQuestion): NearestRequest | null {
  const template = question.policySet.templates.get(question.request.template)?.template
  if (!template) return null
  const all = [...candidates(question, template)]
  for (const candidate of all) {
    const request = withPassingActions(question, candidate)
    if (request) return request
  }
  return shorterRequest(question, all)
}

/** From long to short: people understand them, and so few cost little. */
const SHORTER_SECONDS = [1800, 900, 600, 300, 120, 60]

/**
 * The first candidate for less time than even the template's default, where a policy sets a limit of
 * its own. The shortest is tried first: where that does not pass, time is not what it is about.
 */
function shorterRequest(
  question: LeaseQuestion,
  [first, ...others]: readonly NearestRequest[],
): NearestRequest | null {
  if (!first) return null
  const tried = Math.min(...[first, ...others].map(({ ttlSeconds }) => ttlSeconds))
  const shorter = SHORTER_SECONDS.filter((seconds) => seconds < tried)
  const shortest = shorter.at(-1)
  if (shortest === undefined) return null
  const passing = withPassingActions(question, { ...first, ttlSeconds: shortest })
  if (!passing) return null
  const longer = shorter.slice(0, -1).map((ttlSeconds) => ({ ...passing, ttlSeconds }))
  return longer.find((request) => passes(question, request)) ?? passing
}

function* candidates(
  { task, request }: LeaseQuestion,
  template: ScopeTemplate,
): Generator<NearestRequest> {
  const { defaultSeconds, maxSeconds } = template.ttl
  const asked = request.ttlSeconds ?? defaultSeconds
  const longest = asked > maxSeconds ? maxSeconds : asked
  const ttls = new Set([longest, defaultSeconds].filter((ttl) => ttl >= 1 && ttl <= longest))
  if (!Number.isSafeInteger(longest) || longest < 1) ttls.add(defaultSeconds)
  const related = task.declarations
    .filter((declaration) => declaration.template === template.name)
    .sort((a, b) => shared(b, request.actions) - shared(a, request.actions))
    .slice(0, MAX_DECLARATIONS)
  for (const declaration of related) {
    const actions = request.actions.filter((action) => declaration.actions.includes(action))
    const parameters = {
      ...chosenByCaller(template, request.parameters),
      ...chosenByCaller(template, declaration.parameters),
    }
    for (const ttlSeconds of ttls) {
      yield { template: template.name, actions: [...new Set(actions)], parameters, ttlSeconds }
    }
  }
}

function withPassingActions(
  question: LeaseQuestion,
  candidate: NearestRequest,
): NearestRequest | null {
  if (passes(question, candidate)) return candidate
  const actions = candidate.actions.filter((action) =>
    passes(question, { ...candidate, actions: [action] }),
  )
  const narrower = { ...candidate, actions }
  return passes(question, narrower) ? narrower : null
}

function passes(question: LeaseQuestion, request: NearestRequest): boolean {
  return request.actions.length > 0 && evaluateLease({ ...question, request }).passed
}

function shared(declaration: Declaration, actions: readonly string[]): number {
  return declaration.actions.filter((action) => actions.includes(action)).length
}

/** Without what the template binds from the token, and what it does not know. */
function chosenByCaller(template: ScopeTemplate, parameters: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(parameters).filter(([name]) => {
      const schema = Object.hasOwn(template.parameters, name)
        ? template.parameters[name]
        : undefined
      return schema !== undefined && schema.type !== 'claim'
    }),
  )
}
