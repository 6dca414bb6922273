import {
  makeSecurityEventVerifier,
  makeSigningKeys,
  makeTaskTokens,
  makeTokenVerifier,
} from '@mayfly/identity'
import { makeOpenApi } from '@mayfly/protocol'
import { makeProviders } from '@mayfly/providers'
import { makeRevocationQueue } from '@mayfly/queue'
import { makeIds, makeReport, systemClock, type Logger, type Shutdown } from '@mayfly/runtime'
import { applyMigrations, openStore } from '@mayfly/store'

import type { BrokerPorts } from './broker-ports.ts'
import { loadCertificate } from './certificate.ts'
import type { BrokerConfig } from './config.ts'
import { makeApp } from './http/app.ts'
import { listen } from './listen.ts'
import { makeBrokerMetrics } from './metrics.ts'
import { makeConnectionsOf } from './policy-feed.ts'
import { makeReadiness } from './readiness.ts'
import { makeRefusals } from './refusals.ts'
import { startPolicies } from './start-policies.ts'
import { makeUseCases } from './use-cases.ts'
import { makeVerifiers } from './verifiers.ts'

/** Of the API, as the OpenAPI document states it. */
const VERSION = '1.0.0'

export interface Composition {
  readonly config: BrokerConfig
  readonly logger: Logger
  /** Gets a step for whatever was opened, as it is opened. */
  readonly shutdown: Shutdown
  readonly decorate: (ports: BrokerPorts) => BrokerPorts
}

/** The composition root: the one place where concrete things meet. Resolves to where it listens. */
export async function composeBroker({
  config,
  logger,
  shutdown,
  decorate,
}: Composition): Promise<URL> {
  const { databaseUrl, redisUrl, sealingKeys } = config
  const clock = systemClock
  const newId = makeIds()
  const report = makeReport(logger)
  const metrics = makeBrokerMetrics()

  const certificate = config.tls && loadCertificate(config.tls)
  await applyMigrations(databaseUrl)
  const maxConnections = config.databasePoolSize
  const store = openStore({ connectionString: databaseUrl, maxConnections, sealingKeys, report })
  shutdown.add('store', () => store.close())
  const { audit, deniedSessions } = store
  const started = await startPolicies({ config, store, logger, report })
  const { inForce: policies, applyPolicySet, resolve } = started
  shutdown.add('policies', () => policies.stop())
  const alarms = makeRevocationQueue({ databaseUrl, redisUrl })
  shutdown.add('queue', () => alarms.close())

  metrics.followPolicySet(() => policies.current().version)
  const connectionsOf = makeConnectionsOf(store.policySets)
  const timeoutMs = config.providerTimeoutMs
  const connected = makeProviders({
    ...{ policies, connectionsOf, resolve, deniedSessions, clock, timeoutMs },
  })
  const ports = decorate({
    ...{ leases: store.leases, tasks: store.tasks, queue: alarms, providers: connected },
    ...{ freezes: store.freezes, containments: store.containments },
  })
  const { leases, tasks, queue, providers, freezes, containments } = ports
  const signingKeys = makeSigningKeys({ store: store.signingKeys, clock })
  const taskTokens = makeTaskTokens({ signingKeys, issuer: config.publicUrl, clock })
  const tokenVerifier = makeTokenVerifier({ clock })

  const closing = new AbortController()
  const app = makeApp({
    ...makeUseCases({
      ...{ config, policies, queue, clock, newId, report },
      store: { ...store, leases: metrics.claims(leases), tasks, freezes, containments },
      ...{ providers: metrics.providers(providers), metrics },
    }),
    ...{ tasks, leases, policies, applyPolicySet, taskTokens, logger, metrics, report },
    securityEvents: makeSecurityEventVerifier({ clock }),
    verifiers: makeVerifiers({ policies, tokenVerifier, taskTokens }),
    refused: makeRefusals(audit, metrics, report),
    checks: makeReadiness({ ping: () => store.ping(), policies, timeoutMs: 2_000 }),
    openApi: makeOpenApi({ serverUrl: config.publicUrl, version: VERSION }),
    ...{ freezes, containments, closing, newId },
    webhookStates: store.webhookStates,
    newRequestId: () => newId('req'),
    trustProxy: config.trustProxy,
    requestsPerMinute: config.requestsPerMinute,
    requestsPerMinutePerCaller: config.requestsPerMinutePerCaller,
  })
  const server = await listen(app, { ...config, certificate }, closing)
  shutdown.add('http', () => server.stop())
  return server.url
}
