import type { Task, Workload } from '@mayfly/core'
import {
  makeSigningKeys,
  makeTaskTokens,
  type SigningKeysOptions,
  type SigningKeyStore,
  type StoredSigningKey,
  type TaskTokens,
  type TaskTokensOptions,
} from '@mayfly/identity'
import { importJWK, SignJWT, type CryptoKey, type JWTHeaderParameters } from 'jose'
import { z } from 'zod'

import { agent, verifiedToken } from './policy-set.ts'

export const BROKER = 'https://mayfly.test'

const jwkSchema = z.looseObject({
  kty: z.literal('EC'),
  crv: z.string(),
  x: z.string(),
  y: z.string(),
})

export const task: Task = {
  id: 'tsk_1',
  agent: 'payments-claude',
  owner: 'ada@acme.example',
  environment: 'development',
  issuer: 'github-actions',
  subject: 'repo:acme/payments',
  claims: {},
  intent: { reason: 'fix the build' },
  declarations: [],
  openedAt: new Date('2026-11-23T12:00:00Z'),
  notAfter: new Date('2026-11-23T13:00:00Z'),
  closedAt: null,
}

export const workload: Workload = {
  token: verifiedToken({ subject: 'repo:acme/payments' }),
  agent: agent('payments-claude', { subject: '.*' }),
}

/** A clock to turn, and the keys in memory. Several brokers can be made on it. */
export class TaskTokenWorld {
  now = new Date('2026-11-23T12:00:00Z')
  keys: StoredSigningKey[] = []
  reads = 0
  broken = false

  readonly store: SigningKeyStore = {
    list: () => {
      this.reads += 1
      if (this.broken) return Promise.reject(new Error('the database is gone'))
      return Promise.resolve([...this.keys])
    },
    add: (key) => {
      this.keys.push({ ...key, createdAt: this.now })
      return Promise.resolve()
    },
  }

  readonly clock = { now: () => this.now }

  signingKeys(options: Partial<SigningKeysOptions> = {}) {
    return makeSigningKeys({ store: this.store, clock: this.clock, ...options })
  }

  broker(options: Partial<TaskTokensOptions> = {}): TaskTokens {
    const { clock } = this
    const signingKeys = this.signingKeys({ rotateAfterSeconds: 86_400 })
    return makeTaskTokens({ signingKeys, clock, issuer: BROKER, ...options })
  }

  after(seconds: number): void {
    this.now = new Date(this.now.getTime() + seconds * 1000)
  }

  /** A token that the broker would not write, signed with its own key. */
  async forge(claims: object = {}, header: object = {}): Promise<string> {
    const { kid } = await this.signingKeys().active()
    const now = Math.floor(this.now.getTime() / 1000)
    const standard = { iss: BROKER, aud: BROKER, sub: 'a#b', txn: 'tsk_1', act: { sub: 'x' } }
    const full = { alg: 'ES256', kid, typ: 'txntoken+jwt', ...header } as JWTHeaderParameters
    return new SignJWT({ ...standard, iat: now, exp: now + 300, ...claims })
      .setProtectedHeader(full)
      .sign(await this.privateKey(kid))
  }

  private async privateKey(kid: string): Promise<CryptoKey> {
    const key = this.keys.find((each) => each.kid === kid)
    const jwk = jwkSchema.parse(JSON.parse(key?.privateJwk.reveal() ?? ''))
    return importJWK(jwk, 'ES256')
  }
}
