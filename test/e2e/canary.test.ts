import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import { ERRANDS } from '../support/errands.ts'
import { until } from '../support/until.ts'
import { openWorld, type Started, type World } from './world.ts'

const LEASES = [{ ...ERRANDS.github, actions: ['repo.read'] }, ERRANDS.aws, ERRANDS.vault]

/** GitHub, but for revocations when it pretends: it answers them, and lets the token live. */
async function startPretender() {
  const state = { pretends: false, behind: null as URL | null }
  const server = createServer((request, response) => {
    forward(request, response).catch(() => response.destroy())
  })
  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (state.pretends && request.method === 'DELETE') {
      response.writeHead(204).end()
      return
    }
    const body = await buffer(request)
    const given = request.headers['content-type']
    const headers = new Headers({ authorization: request.headers.authorization ?? '' })
    if (given !== undefined) headers.set('content-type', given)
    const answer = await fetch(new URL(request.url ?? '/', state.behind ?? undefined), {
      method: request.method ?? 'GET',
      headers,
      ...(body.length > 0 && { body }),
    })
    const type = answer.headers.get('content-type')
    response.writeHead(answer.status, type === null ? {} : { 'content-type': type })
    response.end(Buffer.from(await answer.arrayBuffer()))
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    state,
    url: `http://127.0.0.1:${String(address.port)}`,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('the canary, on real processes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mayfly-canary-'))
  const tokenPath = join(directory, 'token')
  let github: Awaited<ReturnType<typeof startPretender>>
  let world: World
  let worker: Started
  let renewing: NodeJS.Timeout

  /** As a SPIFFE helper would: a file that is always whole, and always fresh. */
  async function renewToken(): Promise<void> {
    writeFileSync(`${tokenPath}.new`, await world.stack.tokens.githubActions('payments'))
    renameSync(`${tokenPath}.new`, tokenPath)
  }

  async function metrics(): Promise<string> {
    return (await fetch(new URL('/metrics', worker.url))).text()
  }

  const up = (template: string, provider: string, value: number): string =>
    `mayfly_canary_up{template="${template}",provider="${provider}"} ${String(value)}\n`

  beforeAll(async () => {
    github = await startPretender()
    world = await openWorld({ environment: { ACME_GITHUB_API_URL: github.url } })
    github.state.behind = world.stack.standins.github.url
    await renewToken()
    renewing = setInterval(() => void renewToken().catch(() => undefined), 250)
    worker = await world.start('worker', {
      CANARY_LEASES: JSON.stringify(LEASES),
      CANARY_TOKEN_PATH: tokenPath,
      CANARY_INTERVAL_SECONDS: '2',
      CANARY_DEADLINE_SECONDS: '4',
    })
  }, 120_000)

  afterAll(async () => {
    clearInterval(renewing)
    await world.stop()
    await github.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test('is green with every provider, with leases that are like any other', async () => {
    await until(async () => {
      const text = await metrics()
      return [
        up('github-feature-branch', 'github', 1),
        up('aws-artifact-deploy', 'aws', 1),
        up('vault-kv-read', 'vault', 1),
      ].every((line) => text.includes(line))
    }, 60_000)
    const [row] = await world.sql(
      `SELECT count(DISTINCT t.id)::int AS tasks, count(*)::int AS leases,
          count(*) FILTER (WHERE l.revocation_proof IS NOT NULL)::int AS proven
        FROM tasks t JOIN leases l ON l.task_id = t.id
        WHERE t.intent ->> 'reason' LIKE 'canary:%' AND t.closed_at IS NOT NULL`,
    )
    expect(Number(row?.['tasks'])).toBeGreaterThanOrEqual(1)
    expect(row?.['proven']).toBe(row?.['leases'])
  }, 90_000)

  test('turns red when GitHub says that a token is revoked and it is not', async () => {
    github.state.pretends = true
    await until(
      async () => (await metrics()).includes(up('github-feature-branch', 'github', 0)),
      60_000,
    )
    const text = await metrics()
    expect(text).toContain(
      'mayfly_canary_failures_total{template="github-feature-branch",provider="github",stage="revoke",code="not_revoked"}',
    )
    expect(text).toContain(up('vault-kv-read', 'vault', 1))

    github.state.pretends = false
    await until(
      async () => (await metrics()).includes(up('github-feature-branch', 'github', 1)),
      60_000,
    )
  }, 150_000)

  test('R118 tells no credential and no id', async () => {
    expect(await metrics()).not.toMatch(/\b(?:lea|tsk)_|ghs_|hvs\.|ASIA/)
  })
})
