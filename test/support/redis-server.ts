import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** A real Redis of our own, which keeps its data over `sever` and `restore`. */
export interface RedisServer {
  readonly url: string
  /** Kills the server. */
  sever(): Promise<void>
  restore(): Promise<void>
  stop(): Promise<void>
}

/** The version of the `redis-server` on the path, or null when there is none. */
export function redisVersion(): string | null {
  const { status, stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
  return status === 0 ? (/v=(\S+)/.exec(stdout)?.[1] ?? 'unknown') : null
}

export interface RedisOptions {
  /** When Redis writes its log through to the disk. Always, unless told. */
  readonly appendfsync?: 'always' | 'everysec'
}

export async function startRedis({
  appendfsync = 'always',
}: RedisOptions = {}): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'mayfly-redis-'))
  const port = await freePort()
  const settings = {
    port,
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync,
  }
  let server = await start(settings)

  async function sever(): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }

  return {
    url: `redis://127.0.0.1:${String(port)}`,
    sever,
    async restore() {
      server = await start(settings)
    },
    async stop() {
      await sever()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function start(
  settings: Readonly<Record<string, string | number>> & { readonly port: number },
): Promise<ChildProcess> {
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const server = spawn('redis-server', args, { stdio: 'ignore' })
  const deadline = Date.now() + 10_000
  while (!(await answers(settings.port))) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error('redis did not start')
    await pause(20)
  }
  return server
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('error', () => {
      settle(false)
    })
    // While it loads its data, Redis accepts connections and answers -LOADING.
    socket.once('data', (data) => {
      settle(data.toString().startsWith('+PONG'))
    })
    socket.write('PING\r\n')
  })
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no loopback port')
  return address.port
}
