import {
  MayflyError,
  MintError,
  Secret,
  type Clock,
  type Connection,
  type CredentialProvider,
  type DeniedSessions,
  type Json,
  type JsonObject,
  type PolicySource,
  type Providers,
} from '@mayfly/core'

import type { ResolveSecret } from './aws/clients.ts'
import { makeAwsProvider } from './aws/provider.ts'
import { parseAwsSettings } from './aws/settings.ts'
import { makeAppJwtSigner } from './github/app-jwt.ts'
import { keepAppJwt } from './github/keep-app-jwt.ts'
import { makeGithubProvider } from './github/provider.ts'
import { parseGithubSettings } from './github/settings.ts'
import { makeVaultProvider } from './vault/provider.ts'
import { parseVaultSettings } from './vault/settings.ts'

export interface ProvidersOptions {
  readonly policies: PolicySource
  /** The connections of a set that is in force no more. */
  readonly connectionsOf: (policySetVersion: number) => Promise<ReadonlyMap<string, Connection>>
  /** What an `env:` or `file:` reference stands for. May throw; the secret is asked for when needed. */
  readonly resolve: (reference: string) => string
  readonly deniedSessions: DeniedSessions
  readonly clock: Clock
  /** For each single request to a provider. */
  readonly timeoutMs: number
}

/**
 * Makes each connection's provider when it is first needed, and keeps it for as long as the
 * connection says the same: clients hold connections and logins that are worth keeping.
 */
export function makeProviders(options: ProvidersOptions): Providers {
  const made = new Map<string, CredentialProvider>()

  function providerOf(connection: Connection): CredentialProvider {
    const key = JSON.stringify([connection.provider, connection.settings])
    const known = made.get(key)
    if (known) return known
    const provider = makeUsable(connection, options)
    made.set(key, provider)
    return provider
  }

  return {
    async get(name, pinnedPolicySetVersion) {
      const connection =
        inForce(options.policies).get(name) ??
        (await options.connectionsOf(pinnedPolicySetVersion)).get(name)
      if (connection) return providerOf(connection)
      throw unusable(name)
    },
  }
}

/**
 * Throws `policy_set_invalid` when a reference of the connection stands for nothing here, or when
 * its own adapter cannot read its settings.
 */
export function assertConnection(
  connection: Connection,
  resolve: ProvidersOptions['resolve'],
): void {
  const settings = inPlace(connection.settings, resolve)
  PARSERS[connection.provider](settings)
  for (const [name, value] of leaves(connection.settings)) {
    if (SECRETS.has(name)) resolve(value)
  }
}

const PARSERS = { github: parseGithubSettings, aws: parseAwsSettings, vault: parseVaultSettings }

/** Settings that stay references: the adapters ask for these secrets each time they need one. */
const SECRETS: ReadonlySet<string> = new Set(['privateKey', 'secretAccessKey', 'secretId', 'token'])

const REFERENCE = /^(?:env|file):/

/** Where a provider is may differ from one installation to the next, so any setting can be a reference. */
function inPlace(settings: JsonObject, resolve: ProvidersOptions['resolve']): JsonObject {
  const read = (name: string, node: Json): Json => {
    if (typeof node === 'string') {
      return REFERENCE.test(node) && !SECRETS.has(name) ? resolve(node) : node
    }
    if (Array.isArray(node)) return node.map((item: Json) => read(name, item))
    // Array.isArray leaves readonly arrays in the type.
    return typeof node === 'object' && node !== null ? inPlace(node as JsonObject, resolve) : node
  }
  return Object.fromEntries(
    Object.entries(settings).map(([name, node]) => [name, read(name, node)]),
  )
}

function leaves(settings: JsonObject): readonly (readonly [name: string, text: string])[] {
  return Object.entries(settings).flatMap(([name, node]) => {
    if (typeof node === 'string') return [[name, node] as const]
    const nested = typeof node === 'object' && node !== null && !Array.isArray(node)
    return nested ? leaves(node as JsonObject) : [] // see inPlace
  })
}

function makeUsable(connection: Connection, options: ProvidersOptions): CredentialProvider {
  try {
    return makeProvider(connection, options)
  } catch (cause) {
    throw unusable(connection.name, cause)
  }
}

function unusable(connection: string, cause?: unknown): MayflyError {
  return new MayflyError('provider_unavailable', `the connection ${connection} cannot be used`, {
    retryable: true,
    cause,
  })
}

function makeProvider(connection: Connection, options: ProvidersOptions): CredentialProvider {
  const { deniedSessions, clock, timeoutMs } = options
  const resolveSecret = makeResolveSecret(options.resolve)
  const written = inPlace(connection.settings, options.resolve)
  switch (connection.provider) {
    case 'github': {
      const settings = parseGithubSettings(written)
      const { appId } = settings
      const signAppJwt = keepAppJwt({
        privateKey: () => resolveSecret(settings.privateKey),
        sign: (privateKey) => makeAppJwtSigner({ appId, privateKey })(),
        clock,
      })
      return makeGithubProvider({ settings, signAppJwt, clock, timeoutMs })
    }
    case 'aws': {
      const settings = parseAwsSettings(written)
      return makeAwsProvider({ settings, resolveSecret, deniedSessions, clock, timeoutMs })
    }
    case 'vault': {
      const settings = parseVaultSettings(written)
      return makeVaultProvider({ settings, resolveSecret, clock, timeoutMs })
    }
  }
}

/** Nothing in force must not keep a lease of an older set from being revoked. */
function inForce(policies: PolicySource): ReadonlyMap<string, Connection> {
  try {
    return policies.current().connections
  } catch (error) {
    if (error instanceof MayflyError && error.code === 'policy_unavailable') return new Map()
    throw error
  }
}

function makeResolveSecret(resolve: ProvidersOptions['resolve']): ResolveSecret {
  return (reference) => {
    try {
      return new Secret(resolve(reference))
    } catch (cause) {
      // Which variable or file it is belongs to the operator: it travels in the cause.
      throw new MintError('none', 'provider_rejected', "the connection's secret cannot be read", {
        cause,
      })
    }
  }
}
