import { makeVaultProvider, parseVaultSettings, type VaultProviderOptions } from '@mayfly/providers'
import {
  MayflyError,
  MintError,
  Secret,
  type Credential,
  type CredentialProvider,
  type Json,
  type JsonObject,
  type Minted,
  type MintRequest,
} from '@mayfly/core'
import { startVaultStandin, type VaultStandin, type VaultStandinOptions } from '@mayfly/standins'

import { BROKER_POLICY, PATHS_SCOPE, TOKEN_ROLE } from './vault-fixture.ts'

export const BROKER_TOKEN = 'broker-token-of-the-world'

/** A stand-in Vault, a provider in front of it, and a clock that both share. */
export interface VaultWorld {
  readonly vault: VaultStandin
  readonly provider: CredentialProvider
  readonly clock: { now(): Date; advance(seconds: number): void }
  mint(scope?: Json, overrides?: Partial<MintRequest>): Promise<Minted>
  /** As root, whatever the answer. */
  ask(request: string, body?: unknown, token?: string): Promise<{ status: number; json: unknown }>
  /** Another provider in front of the same stand-in. */
  connect(settings?: JsonObject, more?: Partial<VaultProviderOptions>): CredentialProvider
  stop(): Promise<void>
}

export async function openVaultWorld(
  options: Partial<VaultStandinOptions> = {},
): Promise<VaultWorld> {
  let now = new Date('2026-11-23T12:00:00Z')
  const clock = {
    now: () => now,
    advance: (seconds: number) => {
      now = new Date(now.getTime() + seconds * 1000)
    },
  }
  const vault = await startVaultStandin({
    rootToken: 'root',
    policies: { broker: BROKER_POLICY },
    tokens: { [BROKER_TOKEN]: ['broker'] },
    tokenRoles: { mayfly: TOKEN_ROLE },
    kv: { kv: { 'apps/payments': { key: 'one' }, 'apps/other': { key: 'two' } } },
    databaseRoles: { readonly: {}, longlived: { ttlSeconds: 86_400 } },
    clock,
    ...options,
  })
  const url = vault.url.origin
  const connect: VaultWorld['connect'] = (settings = {}, more = {}) =>
    makeVaultProvider({
      settings: parseVaultSettings({ url, auth: { token: 'env:BROKER' }, ...settings }),
      resolveSecret: () => new Secret(BROKER_TOKEN),
      clock,
      timeoutMs: 2_000,
      ...more,
    })
  const provider = connect()
  return {
    vault,
    provider,
    clock,
    connect,
    mint: (scope = PATHS_SCOPE, overrides = {}) =>
      provider.prepare(scope).mint(mintRequest(clock.now(), overrides), soon()),
    ask: async (request, body, token = 'root') => {
      const [method = '', path = ''] = request.split(' ')
      const response = await fetch(`${url}/v1/${path}`, {
        method,
        headers: { 'x-vault-token': token },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const json = text.startsWith('{') ? (JSON.parse(text) as unknown) : null
      return { status: response.status, json }
    },
    stop: () => vault.stop(),
  }
}

export function mintRequest(now: Date, overrides: Partial<MintRequest> = {}): MintRequest {
  return {
    leaseId: 'lea_1',
    taskId: 'tsk_1',
    agent: 'claude-payments',
    owner: 'ada@acme.example',
    template: 'payments-read',
    ttlSeconds: 600,
    expiresAt: new Date(now.getTime() + 600_000),
    ...overrides,
  }
}

export const soon = (): AbortSignal => AbortSignal.timeout(10_000)

/** The error that a call fails with. */
export async function failureOf(work: Promise<unknown>): Promise<MayflyError> {
  try {
    await work
  } catch (error) {
    if (error instanceof MayflyError) return error
    throw error
  }
  throw new Error('it should have failed')
}

/** What core acts on. */
export function inShort(error: MayflyError): Readonly<Record<string, unknown>> {
  const { code, retryable, details } = error
  const reason = details['reason']
  return error instanceof MintError
    ? { code, retryable, effect: error.effect, reason }
    : { code, retryable, reason }
}

/** The one secret in a credential. */
export function secretIn(credential: Credential): string {
  const [secret] = Object.values(credential).filter((part) => part instanceof Secret)
  if (secret === undefined) throw new TypeError('the credential holds no secret')
  return secret.reveal()
}
