import { readFileSync } from 'node:fs'

import type { Clock, Providers } from '@mayfly/core'
import { makeResolveReference } from '@mayfly/policy'
import { makeProviders } from '@mayfly/providers'
import type { Environment } from '@mayfly/runtime'
import type { Store } from '@mayfly/store'

import { connectionsOf, makeConnectionSource } from './connections.ts'

export interface SubscribedProvidersOptions {
  readonly store: Pick<Store, 'policySets' | 'deniedSessions'>
  /** What `env:` references of connections read. */
  readonly env: Environment
  readonly clock: Clock
  readonly timeoutMs: number
}

/** The providers of whichever policy set is in force. */
export async function startSubscribedProviders({
  store: { policySets, deniedSessions },
  env,
  clock,
  timeoutMs,
}: SubscribedProvidersOptions): Promise<{ providers: Providers; stop: () => Promise<void> }> {
  const policies = makeConnectionSource()
  const subscription = await policySets.subscribe((stored) => {
    policies.swap(stored)
  })
  const providers = makeProviders({
    policies,
    connectionsOf: async (version) =>
      connectionsOf((await policySets.load(version))?.documents ?? []),
    resolve: makeResolveReference({ env, readFile: (path) => readFileSync(path, 'utf8') }),
    deniedSessions,
    clock,
    timeoutMs,
  })
  return { providers, stop: () => subscription.stop() }
}
