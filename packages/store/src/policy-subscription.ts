import type { Report } from '@mayfly/core'
import type pg from 'pg'

import { connectListener } from './listener.ts'
import type { StoredPolicySet } from './policy-set-row.ts'

export interface PolicySubscription {
  stop(): Promise<void>
}

export interface PolicySubscriptionOptions {
  latestVersion(): Promise<number>
  current(): Promise<StoredPolicySet | null>
  changed(policySet: StoredPolicySet): void
  readonly connectionString: string
  readonly channel: string
  readonly report: Report
}

/** Finds what a notification missed: it is lost while the listening session is down. */
const POLL_EVERY_MS = 1_000

export async function startPolicySubscription(
  options: PolicySubscriptionOptions,
): Promise<PolicySubscription> {
  const { report } = options
  let seen = 0
  let failing = false
  let stopped = false
  let checking = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let listener: Promise<pg.Client | null> = Promise.resolve(null)

  async function deliver(): Promise<void> {
    if (stopped || (await options.latestVersion()) <= seen) return
    const policySet = await options.current()
    if (!policySet || policySet.version <= seen) return
    seen = policySet.version
    try {
      options.changed(policySet)
    } catch (error) {
      report('a policy set could not be put in force', error, { version: policySet.version })
    }
  }

  /** One check at a time, and one more for what came in meanwhile. Reports once per outage. */
  function check(): Promise<void> {
    checking = checking.then(deliver).then(
      () => {
        failing = false
      },
      (error: unknown) => {
        if (!failing && !stopped) report('policy sets could not be read', error)
        failing = true
      },
    )
    return checking
  }

  function listen(): void {
    listener = connectListener({
      ...options,
      applicationName: 'mayfly-policy',
      notified: () => void check(),
      lost: () => {
        listener = Promise.resolve(null)
      },
    })
  }

  async function poll(): Promise<void> {
    if ((await listener) === null && !stopped) listen()
    await check()
    if (!stopped) timer = setTimeout(() => void poll(), POLL_EVERY_MS)
  }

  await deliver()
  listen()
  await poll()

  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await checking
      await (await listener)?.end()
    },
  }
}
