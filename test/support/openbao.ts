import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

export interface OpenBao {
  readonly url: string
  /** As root. Throws for any answer but a 2xx. */
  readonly ask: (method: string, path: string, body?: unknown) => Promise<unknown>
  stop(): Promise<void>
}

/** The version of the `bao` on the path, or `null` when there is none. */
export function openBaoVersion(): string | null {
  const { status, stdout } = spawnSync('bao', ['version'], { encoding: 'utf8' })
  return status === 0 ? (/v([\d.]+)/.exec(stdout)?.[1] ?? 'of unknown version') : null
}

/** Starts a development server of its own, with everything in memory. */
export async function startOpenBao(rootToken: string): Promise<OpenBao> {
  const home = mkdtempSync(join(tmpdir(), 'mayfly-openbao-'))
  const address = `127.0.0.1:${String(await freePort())}`
  const server = spawn(
    'bao',
    [
      'server',
      '-dev',
      '-dev-no-store-token',
      `-dev-root-token-id=${rootToken}`,
      `-dev-listen-address=${address}`,
    ],
    { env: { ...process.env, HOME: home }, stdio: 'ignore' },
  )
  const url = `http://${address}`
  const stop = async () => {
    await end(server)
    rmSync(home, { recursive: true, force: true })
  }
  try {
    await ready(url)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url,
    stop,
    ask: async (method, path, body) => {
      const response = await fetch(`${url}/v1/${path}`, {
        method,
        headers: { 'x-vault-token': rootToken, connection: 'close' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${method} ${path}: ${String(response.status)} ${text}`)
      return text === '' ? null : (JSON.parse(text) as unknown)
    },
  }
}

async function ready(url: string): Promise<void> {
  const deadline = Date.now() + 20_000
  for (;;) {
    try {
      const { status } = await fetch(`${url}/v1/sys/health`, { headers: { connection: 'close' } })
      if (status === 200) return
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    await wait(50)
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const gone = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  const timer = setTimeout(() => server.kill('SIGKILL'), 5_000)
  await gone
  clearTimeout(timer)
}

/** Free a moment ago; nothing better is on offer for a program that cannot say which port it took. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      // An address is a string only for Unix sockets.
      const { port } = probe.address() as AddressInfo
      probe.close(() => {
        resolve(port)
      })
    })
  })
}
