import { MayflyError, type CredentialProvider, type Providers } from '@mayfly/core'

import type { Metrics } from './metrics.ts'
import { inSpan } from './spans.ts'

type Call = 'connect' | 'mint' | 'revoke' | 'verify'

/** Times and traces every call to a provider, and counts those that failed by the code of the error (R96). */
export function makeMeteredProviders(
  metrics: Pick<Metrics, 'counter' | 'durations'>,
): (providers: Providers) => Providers {
  const observe = metrics.durations({
    name: 'mayfly_provider_call_seconds',
    help: 'Calls to providers that were answered or refused: mint, revoke, verify',
    labels: ['provider', 'call'],
  })
  const fail = metrics.counter({
    name: 'mayfly_provider_failures_total',
    help: 'Calls to providers that failed, by code; connect is a connection that cannot be used',
    labels: ['provider', 'call', 'code'],
  })

  async function metered<Result>(
    provider: string,
    call: Call,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const startedAt = performance.now()
    try {
      const attributes = { 'mayfly.provider': provider }
      return await inSpan({ name: `provider.${call}`, attributes }, work)
    } catch (error) {
      fail({ provider, call, code: error instanceof MayflyError ? error.code : 'internal' })
      throw error
    } finally {
      observe({ provider, call }, (performance.now() - startedAt) / 1_000)
    }
  }

  const meteredProvider = (provider: CredentialProvider): CredentialProvider => ({
    ...provider,
    prepare(scope) {
      const prepared = provider.prepare(scope)
      return {
        ...prepared,
        mint: (request, signal) =>
          metered(provider.name, 'mint', () => prepared.mint(request, signal)),
      }
    },
    revoke: (handle, signal, now) =>
      metered(provider.name, 'revoke', () => provider.revoke(handle, signal, now)),
    verifyDead: (handle, sent, signal) =>
      metered(provider.name, 'verify', () => provider.verifyDead(handle, sent, signal)),
  })

  return (providers) => ({
    async get(connection, version) {
      try {
        return meteredProvider(await providers.get(connection, version))
      } catch (error) {
        const code = error instanceof MayflyError ? error.code : 'internal'
        // Which provider it would have been is in the connection that cannot be had.
        fail({ provider: 'unknown', call: 'connect', code })
        throw error
      }
    },
  })
}
