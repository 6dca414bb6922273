import type { Providers, SendWebhook } from '@mayfly/core'
import { makeRevocationQueue, type ConnectedRevocationQueue } from '@mayfly/queue'
import {
  makeLogger,
  makeReport,
  makeShutdown,
  systemClock as clock,
  type Logger,
  type Shutdown,
} from '@mayfly/runtime'
import { applyMigrations, openStore, type Store } from '@mayfly/store'

import type { WorkerConfig } from './config.ts'
import { startHealthServer } from './health-server.ts'
import { makeWorkerMetrics } from './metrics.ts'
import { startPruning } from './pruning.ts'
import { makeReadiness } from './readiness.ts'
import { makeRevokers } from './revokers.ts'
import { startCanary } from './start-canary.ts'
import { startSubscribedProviders } from './subscribed-providers.ts'
import { startTaking } from './taking.ts'
import { startWebhooks } from './start-webhooks.ts'
import { loadWebhookConfig } from './webhook-config.ts'
import { makeWebhookSender } from './webhook-sender.ts'

export interface Worker {
  /** Where health and metrics are. */
  readonly url: URL
  stop(): Promise<void>
}

/** Through these a worker changes what is outside of it. */
export interface WorkerPorts {
  readonly leases: Store['leases']
  readonly tasks: Store['tasks']
  readonly queue: ConnectedRevocationQueue
  readonly providers: Providers
  readonly containments: Store['containments']
  readonly webhooks: Store['webhooks']
  readonly sendWebhook: SendWebhook
}

export interface WorkerOptions {
  /** Wraps the ports once they are made. Without it, they are used as they are. */
  readonly decorate?: (ports: WorkerPorts) => WorkerPorts
}

/** Starts a worker, migrations first. What a failed start had opened is closed again. */
export async function startWorker(
  config: WorkerConfig,
  { decorate = (ports) => ports }: WorkerOptions = {},
): Promise<Worker> {
  const logger = makeLogger({ name: 'worker', level: config.logLevel })
  const shutdown = makeShutdown({
    stepMilliseconds: 8_000,
    onError: (step, err) => {
      logger.error({ err, step }, 'shutdown step failed')
    },
  })
  try {
    const url = await compose({ config, logger, shutdown, decorate })
    logger.info({ url: url.href }, 'worker ready')
    return { url, stop: () => shutdown.run() }
  } catch (error) {
    await shutdown.run()
    throw error
  }
}

interface Composition extends Required<WorkerOptions> {
  readonly config: WorkerConfig
  readonly logger: Logger
  readonly shutdown: Shutdown
}

/** The composition root: the one place where concrete things meet. */
async function compose({ config, logger, shutdown, decorate }: Composition): Promise<URL> {
  const { concurrency, databaseUrl, env, redisUrl, sweepIntervalMs, sealingKeys } = config
  const { providerTimeoutMs: timeoutMs, visibilitySeconds } = config
  const report = makeReport(logger)

  await applyMigrations(databaseUrl)
  const store = openStore({ connectionString: databaseUrl, sealingKeys, report })
  shutdown.add('store', () => store.close())
  const location = { redisUrl, databaseUrl }
  const alarms = makeRevocationQueue(location)
  shutdown.add('queue', () => alarms.close())
  const subscribed = await startSubscribedProviders({ store, env, clock, timeoutMs })
  shutdown.add('policy sets', () => subscribed.stop())
  const webhookConfig = loadWebhookConfig(env)
  const ports = decorate({
    ...{ leases: store.leases, tasks: store.tasks, queue: alarms, providers: subscribed.providers },
    ...{ containments: store.containments, webhooks: store.webhooks },
    sendWebhook: makeWebhookSender({ config: webhookConfig, env, clock }),
  })
  const { leases, tasks, queue, providers, containments, webhooks, sendWebhook } = ports

  const metrics = makeWorkerMetrics({
    levels: () => store.levels(),
    alarms: () => queue.depth(),
    // Nothing is asked before the health server is up, and then the sweeper runs.
    secondsSincePass: () => taking.secondsSincePass(),
    failingWebhooks: () => webhooks.failing(),
  })
  const counted = metrics.claims(leases)
  const { revoke, revokeClaimed } = makeRevokers({
    ...{ leases: counted, providers: metrics.providers(providers), clock, config },
  })

  const subscribeDue = (due: () => void) => store.subscribeDue(due)
  const intake = { leases: counted, tasks, containments, revoke, revokeClaimed, subscribeDue }
  const taking = await startTaking({
    ...{ ...intake, queue, location, concurrency, sweepIntervalMs, visibilitySeconds },
    ...{ metrics, clock, report },
  })
  shutdown.add('revocations', () => taking.stop())
  const stopWebhooks = await startWebhooks({
    ...{ config: webhookConfig, policySets: store.policySets, outbox: webhooks },
    ...{ send: sendWebhook, metrics, clock, report },
  })
  shutdown.add('webhooks', stopWebhooks)
  const flying = { env, store, providers, providerTimeoutMs: timeoutMs, metrics, clock, report }
  shutdown.add('canary', startCanary(flying))
  const stopPruning = startPruning(() => store.prune(), report)
  shutdown.add('pruning', stopPruning)

  const { secondsSincePass } = taking
  const overdue = () => leases.overdue()
  const health = await startHealthServer({
    ...config.health,
    checks: makeReadiness({ ...config, overdue, secondsSincePass, clock }),
    metrics: () => metrics.render(),
  })
  shutdown.add('health', () => health.stop())
  return health.url
}
