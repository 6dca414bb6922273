import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { LeaseBody } from '@mayfly/protocol'
import { freePort, startApp, startStack, type AppProcess, type Stack } from '@mayfly/sandbox'
import pg from 'pg'

import { createDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'
import { makeCall, type Answer, type Call, type Exchange } from './call.ts'
import { openWith, type OpenedTask, type TaskWish } from './open-task.ts'

export interface WorldOptions {
  readonly redisUrl?: string
  /** Stands between the broker and worker and their database. */
  readonly throughProxy?: (databaseUrl: string) => Promise<string>
  readonly environment?: Readonly<Record<string, string>>
  readonly workers?: number
}

/** The whole product as processes, on a database of its own. */
export interface World {
  readonly stack: Stack
  readonly call: Call
  /** Everything that was sent to the broker and came back, oldest first. */
  readonly exchanges: readonly Exchange[]
  openTask(wish?: Partial<TaskWish>): Promise<OpenedTask>
  /** Asks for a lease, whatever comes of it. */
  ask(task: OpenedTask, request: object, headers?: Record<string, string>): Promise<Answer>
  /** Asks for a lease that must be given. */
  issue(task: OpenedTask, request: object): Promise<Issued>
  lease(leaseId: string): Promise<LeaseBody>
  /** Waits until the lease is in one of the states. */
  settled(leaseId: string, states?: readonly string[], deadlineMs?: number): Promise<LeaseBody>
  sql(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
  /** Credentials ever issued, and those that still work, over all providers. */
  issued(): number
  live(): number
  /** One more process of the product, which ends with the world. An empty variable is left out. */
  start(app: 'broker' | 'worker', environment?: Record<string, string>): Promise<Started>
  stop(): Promise<void>
}

type Row = Readonly<Record<string, unknown>>

export interface Started {
  readonly process: AppProcess
  readonly url: URL
}

export interface Issued {
  readonly lease: LeaseBody
  readonly credential: Readonly<Record<string, string>>
  readonly answer: Answer
}

const READY_DEADLINE_MS = 60_000

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const database = await createDatabase()
  const directory = mkdtempSync(join(tmpdir(), 'mayfly-e2e-'))
  const pool = new pg.Pool({ connectionString: database.connectionString, max: 3 })
  pool.on('error', () => undefined)
  const proxied = await options.throughProxy?.(database.connectionString)
  const stack = await startStack({
    directory,
    databaseUrl: proxied ?? database.connectionString,
    ...(options.redisUrl === undefined ? {} : { redisUrl: options.redisUrl }),
    environment: { SWEEP_INTERVAL_MS: '200', ...options.environment },
    workers: options.workers ?? 1,
  })
  const started: AppProcess[] = []
  const exchanges: Exchange[] = []
  const call = makeCall(stack.url, exchanges)
  const { github, aws, vault } = stack.standins

  const world: World = {
    stack,
    call,
    exchanges,
    openTask: (wish = {}) => openWith(call, stack.tokens, wish),
    ask: ({ token }, request, headers = {}) =>
      call('POST', '/v1/leases', { token, body: request, headers }),
    async issue(task, request) {
      const answer = await world.ask(task, request)
      if (answer.status !== 201) throw new Error(`no lease: ${answer.text}`)
      const { lease, credential } = answer.json as unknown as Omit<Issued, 'answer'> // checked by the contract of 201
      return { lease, credential, answer }
    },
    async lease(leaseId) {
      const token = await stack.tokens.person('auditor')
      const { json } = await call('GET', `/v1/leases/${leaseId}`, { token })
      return json['lease'] as LeaseBody // the contract of 200
    },
    async settled(leaseId, states = ['revoked'], deadlineMs = 30_000) {
      let lease = await world.lease(leaseId)
      const over = async (): Promise<boolean> => {
        lease = await world.lease(leaseId)
        return states.includes(lease.state)
      }
      await until(over, deadlineMs).catch(() => {
        throw new Error(`not ${states.join(' or ')}: ${JSON.stringify(lease)}`)
      })
      return lease
    },
    sql: async (text, values = []) => (await pool.query<Row>(text, [...values])).rows,
    issued: () => github.issued().length + aws.issued().length + vault.issued().length,
    live: () => github.live().length + aws.live().length + vault.live().length,
    async start(app, environment = {}) {
      const port = await freePort()
      const portName = app === 'broker' ? 'PORT' : 'HEALTH_PORT'
      const wanted = { ...stack.environment, [portName]: String(port), ...environment }
      const env = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== ''))
      const url = new URL(`http://127.0.0.1:${env[portName] ?? ''}`)
      const process = await startApp({ app, env, logFile: stack.logs[app] })
      started.push(process)
      await until(
        async () => (await fetch(new URL('/readyz', url)).catch(() => null))?.ok === true,
        READY_DEADLINE_MS,
      )
      return { process, url }
    },
    async stop() {
      await Promise.all(started.map((one) => one.stop()))
      await stack.stop()
      await pool.end()
      await database.drop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
  return world
}
