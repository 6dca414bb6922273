import {
  MayflyError,
  type Connection,
  type Resource,
  type ScopeTemplate,
  type Webhook,
} from '@mayfly/core'

import type { ResourceProblem } from './problem.ts'

interface Place {
  readonly path: string
  readonly message: string
}

/**
 * What only the installation and its providers know. Asked when a set is applied: one that was stored
 * is in force, whatever has changed around it since.
 */
export interface InstallationChecks {
  /** What keeps a webhook from being sent: the app knows which addresses it may reach. */
  readonly webhookProblems?: (webhook: Webhook) => readonly Place[]
  /** What a provider would never grant. */
  readonly templateProblems?: (template: ScopeTemplate) => readonly Place[]
  /** Throws a `MayflyError` when a connection cannot be used here. */
  readonly assertConnection?: (connection: Connection) => void
}

export function installationProblems(
  checks: InstallationChecks,
  resources: readonly Resource[],
): readonly ResourceProblem[] {
  return resources.flatMap((resource) =>
    placesIn(checks, resource).map((place) => ({
      resource: `${resource.kind}/${resource.name}`,
      ...place,
    })),
  )
}

function placesIn(checks: InstallationChecks, resource: Resource): readonly Place[] {
  if (resource.kind === 'Webhook') return checks.webhookProblems?.(resource) ?? []
  if (resource.kind === 'ScopeTemplate') return checks.templateProblems?.(resource) ?? []
  return resource.kind === 'Connection' ? connectionProblems(checks, resource) : []
}

function connectionProblems(
  { assertConnection }: InstallationChecks,
  connection: Connection,
): readonly Place[] {
  try {
    assertConnection?.(connection)
    return []
  } catch (error) {
    if (!(error instanceof MayflyError)) throw error
    return [{ path: 'spec.settings', message: error.message }]
  }
}
