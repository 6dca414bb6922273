import { generateKeyPairSync } from 'node:crypto'

import {
  Secret,
  type Credential,
  type CredentialProvider,
  type Json,
  type JsonObject,
} from '@mayfly/core'
import {
  makeAppJwtSigner,
  makePlainFetch,
  makeGithubProvider,
  parseGithubSettings,
} from '@mayfly/providers'
import { startGithubStandin, type GithubStandin } from '@mayfly/standins'

import { assertDescribed, loadGithubDescription } from './github-openapi.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  // GitHub hands keys out in this older form.
  privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
})

export const APP_PERMISSIONS = {
  contents: 'write',
  pull_requests: 'write',
  packages: 'read',
  workflows: 'write',
} as const

/** The stand-in, the provider in front of it, and a clock that both go by. */
export interface GithubWorld {
  readonly github: GithubStandin
  readonly provider: CredentialProvider
  readonly clock: { now(): Date; advance(seconds: number): void }
  readonly privateKey: string
  /** Milliseconds that the provider waited inside one call. */
  readonly waits: number[]
}

export const scope: JsonObject = {
  account: 'acme',
  repositories: ['payments'],
  permissions: { contents: 'write' },
}

export async function openGithub(
  over: { readonly timeoutMs?: number; readonly requestsPerHour?: number } = {},
): Promise<GithubWorld> {
  // Before the provider's own time-outs begin to run.
  await loadGithubDescription()
  const clock = makeClock()
  const github = await startGithubStandin({
    apps: [{ appId: 7, slug: 'mayfly', publicKey, permissions: APP_PERMISSIONS }],
    installations: [
      {
        id: 101,
        appId: 7,
        account: 'acme',
        repositories: [
          { id: 1, name: 'payments' },
          { id: 2, name: 'web' },
          { id: 3, name: 'site', private: false },
        ],
        packages: [{ name: 'ledger', type: 'npm' }],
      },
    ],
    clock,
    ...(over.requestsPerHour !== undefined && { requestsPerHour: over.requestsPerHour }),
  })
  const waits: number[] = []
  const send = makePlainFetch()
  const provider = makeGithubProvider({
    settings: parseGithubSettings({
      apiUrl: github.url.href,
      appId: 7,
      privateKey: 'env:GITHUB_APP_KEY',
      installations: { acme: 101, gone: 404 },
    }),
    signAppJwt: makeAppJwtSigner({ appId: '7', privateKey: new Secret(privateKey) }),
    clock,
    timeoutMs: over.timeoutMs ?? 5_000,
    fetch: async (url, exchange) => {
      await assertDescribed(url, exchange)
      return send(url, exchange)
    },
    wait: (milliseconds) => {
      waits.push(milliseconds)
      clock.advance(milliseconds / 1000)
      return Promise.resolve()
    },
  })
  return { github, provider, clock, privateKey, waits }
}

/** Starts at the real time, by which App JWTs are signed. */
function makeClock(): GithubWorld['clock'] {
  let now = Date.now()
  return {
    now: () => new Date(now),
    advance: (seconds) => {
      now += seconds * 1000
    },
  }
}

/** What GitHub answers to a request with this credential. */
export function call(
  { url }: GithubStandin,
  credential: Credential,
  request: { readonly method?: string; readonly path: string; readonly body?: Json },
): Promise<Response> {
  const { token } = credential
  if (!(token instanceof Secret)) throw new TypeError('the credential has no token')
  return fetch(new URL(request.path, url), {
    method: request.method ?? 'GET',
    headers: { authorization: `Bearer ${token.reveal()}`, 'content-type': 'application/json' },
    ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
  })
}
