import { makeRevokeLease, type RevokeLease } from '@mayfly/core'
import { makeRevocationQueue } from '@mayfly/queue'
import {
  makeLogger,
  makeReport,
  makeShutdown,
  systemClock as clock,
  type Logger,
  type Shutdown,
} from '@mayfly/runtime'
import { applyMigrations, openStore } from '@mayfly/store'

import type { WorkerConfig } from './config.ts'
import { startHealthServer } from './health-server.ts'
import { makeWorkerMetrics, measured } from './metrics.ts'
import { startPruning } from './pruning.ts'
import { lagSeconds, makeReadiness } from './readiness.ts'
import { startSubscribedProviders } from './subscribed-providers.ts'
import { startTaking } from './taking.ts'
import { withDeadline } from './with-deadline.ts'

export interface Worker {
  /** Where health and metrics are. */
  readonly url: URL
  stop(): Promise<void>
}

/** Revoking takes a request or two, and as many go into asking whether the credential is dead. */
const REQUESTS_PER_ATTEMPT = 4

/** Starts a worker, migrations first. What a failed start had opened is closed again. */
export async function startWorker(config: WorkerConfig): Promise<Worker> {
  const logger = makeLogger({ name: 'worker', level: config.logLevel })
  const shutdown = makeShutdown({
    stepMilliseconds: 8_000,
    onError: (step, err) => {
      logger.error({ err, step }, 'shutdown step failed')
    },
  })
  try {
    const url = await compose(config, logger, shutdown)
    logger.info({ url: url.href }, 'worker ready')
    return { url, stop: () => shutdown.run() }
  } catch (error) {
    await shutdown.run()
    throw error
  }
}

/** The composition root: the one place where concrete things meet. */
async function compose(config: WorkerConfig, logger: Logger, shutdown: Shutdown): Promise<URL> {
  const { concurrency, databaseUrl, env, redisUrl, sweepIntervalMs, sealingKeys } = config
  const timeoutMs = config.providerTimeoutMs
  const attemptMs = timeoutMs * REQUESTS_PER_ATTEMPT
  const report = makeReport(logger)

  await applyMigrations(databaseUrl)
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
  return health.url
}
