import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import type { AppProcess } from '@mayfly/sandbox'
import { z } from 'zod'

import { startWorld, type BenchHost, type BenchWorld } from './bench-world.ts'
import type { ProcessIds } from './contain-leases.ts'
import { mintLeases } from './mint-leases.ts'
import { MIX, writeMixedPolicies } from './mixed-policies.ts'
import { startScriptServer, type ScriptServer } from './script-process.ts'

/** A world whose leases are on GitHub, Vault and AWS. */
export interface MixedWorld extends BenchWorld {
  /** Long-lived leases of all three, through the API. */
  mint(count: number): Promise<void>
  /** The processes that a revocation passes through. */
  pids(workers: readonly AppProcess[]): ProcessIds
}

/** Starts broker, worker and the three providers, each as a process of its own. */
export async function startMixedWorld(host: BenchHost, name: string): Promise<MixedWorld> {
  const secrets = {
    MINTER_KEY_ID: 'AKIABENCHMINTER00001',
    MINTER_SECRET: randomBytes(20).toString('hex'),
    REVOKER_KEY_ID: 'AKIABENCHREVOKER0001',
    REVOKER_SECRET: randomBytes(20).toString('hex'),
  }
  const vaultToken = randomBytes(20).toString('hex')
  const vault = await startScriptServer('./standin-vault.ts', { VAULT_TOKEN: vaultToken })
  const aws = await startScriptServer('./standin-aws.ts', secrets)
  const stopStandins = async (): Promise<void> => {
    await Promise.all([vault.stop(), aws.stop()])
  }
  try {
    const world = await startWorld(host, {
      name,
      ...(host.redisUrl !== null && { redisUrl: host.redisUrl }),
      policies: writeMixedPolicies(join(host.directory, `${name}-policies`)),
      environment: {
        BENCH_VAULT_URL: vault.url.origin,
        BENCH_VAULT_TOKEN: vaultToken,
        BENCH_AWS_URL: aws.url.origin,
        ...Object.fromEntries(
          Object.entries(secrets).map(([key, value]) => [`BENCH_AWS_${key}`, value]),
        ),
      },
    })
    return withMix(world, { vault, aws, postgresPid: host.postgresPid, stopStandins })
  } catch (error) {
    await stopStandins()
    throw error
  }
}

interface Standins {
  readonly vault: ScriptServer
  readonly aws: ScriptServer
  readonly postgresPid: number
  readonly stopStandins: () => Promise<void>
}

function withMix(world: BenchWorld, standins: Standins): MixedWorld {
  const { vault, aws, postgresPid, stopStandins } = standins
  return {
    ...world,
    pids: (workers) => ({
      workers: workers.map(({ pid }) => pid),
      PostgreSQL: [postgresPid],
      broker: [world.broker.pid],
      'stand-ins': [world.github.pid, vault.pid, aws.pid],
    }),
    mint: (count) =>
      mintLeases(world, { count, concurrency: 32, ttlSeconds: () => 3_000, requests: MIX }),
    async liveCredentials() {
      const counts = await Promise.all([world.liveCredentials(), liveAt(vault), liveAt(aws)])
      return counts.reduce((sum, count) => sum + count, 0)
    },
    async stop() {
      await world.stop()
      await stopStandins()
    },
  }
}

/** As the two stand-ins tell it: the one with a list of tokens, the other with one of sessions. */
async function liveAt(standin: ScriptServer): Promise<number> {
  const response = await fetch(new URL('/_standin/issued', standin.url))
  const told = issuedSchema.parse(await response.json())
  return Array.isArray(told)
    ? told.filter(({ revokedAt }) => revokedAt === null).length
    : told.sessions.filter(({ live }) => live).length
}

const issuedSchema = z.union([
  z.array(z.object({ revokedAt: z.string().nullable() })),
  z.object({ sessions: z.array(z.object({ live: z.boolean() })) }),
])
