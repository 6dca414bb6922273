import { makeRevokeLease, type RevokeLease } from '@mayfly/core'
import { makeRevocationQueue } from '@mayfly/queue'
import {
  makeReport,
  systemClock as clock,
  type Environment,
  type Logger,
  type Shutdown,
} from '@mayfly/runtime'
import { openStore } from '@mayfly/store'

import type { WorkerConfig } from './config.ts'
import { startHealthServer } from './health-server.ts'
import { makeWorkerMetrics, measured } from './metrics.ts'
import { startPruning } from './pruning.ts'
import { lagSeconds, makeReadiness } from './readiness.ts'
import { startSubscribedProviders } from './subscribed-providers.ts'
import { startTaking } from './taking.ts'
import { withDeadline } from './with-deadline.ts'

export interface WorkerDeps {
  /** What `env:` references of connections read. */
  readonly env: Environment
  readonly logger: Logger
  /** Takes a step for everything that is started, so that a start can be undone half way. */
  readonly shutdown: Shutdown
}

/** Revoking takes a request or two, and as many go into asking whether the credential is dead. */
const REQUESTS_PER_ATTEMPT = 4

/** The composition root. Resolves when revocation is under way. */
export async function startWorker(config: WorkerConfig, deps: WorkerDeps): Promise<void> {
  const { env, logger, shutdown } = deps
  const { concurrency, databaseUrl, redisUrl, sweepIntervalMs, sealingKeys } = config
  const timeoutMs = config.providerTimeoutMs
  const attemptMs = timeoutMs * REQUESTS_PER_ATTEMPT
  const report = makeReport(logger)

  const store = openStore({ connectionString: databaseUrl, sealingKeys, report })
  shutdown.add('store', () => store.close())
  const { leases, tasks } = store
  const location = { redisUrl, databaseUrl }
  const queue = makeRevocationQueue(location)
  shutdown.add('queue', () => queue.close())
  const subscribed = await startSubscribedProviders({ store, env, clock, timeoutMs })
  shutdown.add('policy sets', () => subscribed.stop())

  const metrics = makeWorkerMetrics({
    overdueLeases: async () => (await leases.overdue()).count,
    lagSeconds: async () => lagSeconds(await leases.overdue(), clock),
    waitingAlarms: async () => (await queue.depth()).waiting,
  })
  const revokeLease = makeRevokeLease({
    leases: measured(leases, metrics),
    providers: subscribed.providers,
    clock,
    retry: { baseSeconds: 1, capSeconds: 60, random: Math.random },
    visibilitySeconds: Math.ceil(attemptMs / 1_000) + 5,
  })
  const revoke: RevokeLease = (leaseId, signal) =>
    withDeadline(attemptMs, signal, (inner) => revokeLease(leaseId, inner))

  const intake = { leases, tasks, revoke, queue, location, concurrency, sweepIntervalMs }
  const taking = await startTaking({ ...intake, metrics, clock, report })
  shutdown.add('revocations', () => taking.stop())
  const stopPruning = startPruning(() => store.prune(), report)
  shutdown.add('pruning', stopPruning)

  const { secondsSincePass } = taking
  const overdue = () => leases.overdue()
  const health = await startHealthServer({
    ...config.health,
    checks: makeReadiness({ overdue, secondsSincePass, sweepIntervalMs, clock }),
    metrics: () => metrics.render(),
  })
  shutdown.add('health', () => health.stop())
  logger.info({ health: health.url.origin }, 'worker ready')
}
