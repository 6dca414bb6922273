import {
  brokenPlaceholdersIn,
  didYouMean,
  MayflyError,
  placeholdersIn,
  renderScope,
  type Connection,
  type Issuer,
  type Json,
  type ParameterValue,
  type Resource,
  type ScopeTemplate,
} from '@mayfly/core'

import { ACTION_RESOURCES, resourceTypeOf } from './action-resources.ts'
import { highRiskIn } from './high-risk.ts'
import type { FoundProblem } from './resource-references.ts'

type Found = Omit<FoundProblem, 'resource'>

/** What the shape of a template cannot tell: whether its parts fit together and the rest of the set. */
export function templateProblems(
  resources: readonly Resource[],
  unread: ReadonlySet<string>,
): readonly FoundProblem[] {
  // An Issuer that could not be read might have listed any claim.
  const claimsKnown = ![...unread].some((name) => name.startsWith('Issuer/'))
  const issuers = resources.filter((resource) => resource.kind === 'Issuer')
  const connections = resources.filter((resource) => resource.kind === 'Connection')
  return resources
    .filter((resource) => resource.kind === 'ScopeTemplate')
    .flatMap((template) =>
      [
        ...actionProblems(template),
        ...placeholderProblems(template),
        ...connectionProblems(template, connections),
        ...(claimsKnown ? claimProblems(template, issuers) : []),
        ...scopeProblems(template),
        ...riskProblems(template),
      ].map((found) => ({ resource: template, ...found })),
    )
}

function actionProblems({ actions, resource }: ScopeTemplate): readonly Found[] {
  return Object.keys(actions).flatMap((action) => {
    const type = resourceTypeOf(action)
    const path = ['spec', 'actions', action]
    if (type === undefined) {
      const meant = didYouMean(action, Object.keys(ACTION_RESOURCES))
      return [{ path, message: `is not an action that Mayfly knows${meant}` }]
    }
    if (type === resource.type) return []
    return [
      { path, message: `acts on a ${type}, and the template's resource is a ${resource.type}` },
    ]
  })
}

/** Every place of a template that placeholders may stand in. */
function placeholderProblems(template: ScopeTemplate): readonly Found[] {
  const places: readonly (readonly [readonly string[], Json])[] = [
    [['spec', 'resource', 'id'], template.resource.id],
    [['spec'], template.fragment],
    ...Object.entries(template.actions).map(
      ([action, { fragment }]) => [['spec', 'actions', action], fragment] as const,
    ),
  ]
  return places.flatMap(([path, document]) => [
    ...[...placeholdersIn(document)]
      .filter((name) => !Object.hasOwn(template.parameters, name))
      .map((name) => ({
        path,
        message: `{{${name}}} is not a parameter${didYouMean(name, Object.keys(template.parameters))}`,
      })),
    ...brokenPlaceholdersIn(document).map((text) => ({
      path,
      message: `${JSON.stringify(text)} has a placeholder that is not of the form {{name}}`,
    })),
  ])
}

function connectionProblems(
  template: ScopeTemplate,
  connections: readonly Connection[],
): readonly Found[] {
  const connection = connections.find(({ name }) => name === template.connection)
  if (!connection || connection.provider === template.provider) return []
  const message = `is a connection to ${connection.provider}, not ${template.provider}`
  return [{ path: ['spec', 'connection'], message }]
}

function claimProblems(template: ScopeTemplate, issuers: readonly Issuer[]): readonly Found[] {
  const types = (claim: string): readonly string[] =>
    issuers.flatMap(({ claims }) => (Object.hasOwn(claims, claim) ? [claims[claim] ?? ''] : []))
  const bound = Object.entries(template.parameters).flatMap(([name, schema]) =>
    schema.type === 'claim' ? [[name, schema.fromClaim] as const] : [],
  )
  return [
    ...template.claims
      .filter((claim) => types(claim).length === 0)
      .map((claim) => ({
        path: ['spec', 'claims'],
        message: `no Issuer lists the claim ${claim}`,
      })),
    ...bound.flatMap(([name, claim]) => {
      const path = ['spec', 'parameters', name]
      if (types(claim).length === 0)
        return [{ path, message: `no Issuer lists the claim ${claim}` }]
      if (!types(claim).includes('strings')) return []
      return [{ path, message: `the claim ${claim} is a list, and a parameter is one value` }]
    }),
  ]
}

/** Two ways to say what a credential reaches, of which a scope has one. */
const EITHER = {
  github: ['repositories', 'repositoryIds'],
  aws: null,
  vault: ['paths', 'database'],
} as const

/** Renders every action alone and all of them together, so that no request meets the problem first. */
function scopeProblems(template: ScopeTemplate): readonly Found[] {
  const actions = Object.keys(template.actions)
  const values = Object.fromEntries(
    Object.keys(template.parameters).map((name): [string, ParameterValue] => [name, name]),
  )
  const problems = [...actions.map((action) => [action]), actions].flatMap((asked) => {
    try {
      renderScope(template, asked, values)
      return []
    } catch (error) {
      if (!(error instanceof MayflyError)) throw error
      return [{ path: ['spec', 'actions'], message: error.message }]
    }
  })
  return [...problems, ...eitherProblems(template)]
}

function eitherProblems(template: ScopeTemplate): readonly Found[] {
  const either = EITHER[template.provider]
  if (!either) return []
  const [one, other] = either
  const documents = [template.fragment, ...Object.values(template.actions).map((a) => a.fragment)]
  const has = (key: string): boolean => documents.some((document) => Object.hasOwn(document, key))
  if (has(one) !== has(other)) return []
  return [{ path: ['spec'], message: `must name either \`${one}\` or \`${other}\`` }]
}

/** Permissions that a template has to accept in words: its reviewer must not have to know them all. */
function riskProblems(template: ScopeTemplate): readonly Found[] {
  const word = template.provider === 'aws' ? 'allowNonRevocable' : 'allowHighRisk'
  if (template.allowHighRisk === true || template.fragment['allowNonRevocable'] === true) return []
  return Object.entries(template.actions).flatMap(([action, { fragment }]) =>
    highRiskIn(template.provider, fragment).map((what) => ({
      path: ['spec', 'actions', action],
      message: `${what} is high-risk; accept it with ${word}: true`,
    })),
  )
}
