import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { LeaseBody } from '@mayfly/protocol'
import { freePort } from '@mayfly/sandbox'

import { childrenOf, descendantsOf, isRunning } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { startMayfly } from './cli/run-process.ts'
import { ERRANDS } from '../support/errands.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const START_DEADLINE_MS = 90_000
const REVOKED_DEADLINE_MS = 60_000

let folder: string
let port: number
let begun: ChildProcess[] = []
beforeEach(async () => {
  port = await freePort()
  folder = mkdtempSync(join(tmpdir(), 'mayfly-start-'))
  // The database server of a root user must reach its socket in there.
  chmodSync(folder, 0o711)
  mkdirSync(join(folder, 'tmp'), { mode: 0o1777 })
})
afterEach(() => {
  for (const { pid = 0 } of begun)
    for (const one of [pid, ...descendantsOf(pid)]) if (isRunning(one)) process.kill(one, 'SIGKILL')
  begun = []
  rmSync(folder, { recursive: true, force: true })
})

/** What somebody who types `npm start` sees. */
interface Started {
  readonly npm: ChildProcess
  readonly url: string
  readonly workloadToken: string
  readonly linesToTry: readonly string[]
}

/** The user's own shell, with none of Mayfly's variables in it. */
function environment(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env
  const data = join(folder, 'data')
  const TMPDIR = join(folder, 'tmp')
  return { PATH, HOME, TMPDIR, MAYFLY_SANDBOX_DIR: data, PORT: String(port) }
}

async function npmStart(): Promise<Started> {
  const env = { ...environment(), NO_COLOR: '1' }
  // In a process group of its own, as a shell starts a job.
  const npm = spawn('npm', ['start'], { cwd: ROOT, env, stdio: 'pipe', detached: true })
  begun.push(npm)
  let output = ''
  for (const stream of [npm.stdout, npm.stderr])
    stream.setEncoding('utf8').on('data', (some: string) => (output += some))
  await until(() => {
    if (npm.exitCode !== null) throw new Error(`npm start ended:\n${output}`)
    return output.includes('Ctrl-C stops it')
  }, START_DEADLINE_MS)
  const [, url = ''] = /Mayfly is up +(\S+)/.exec(output) ?? []
  const [, workloadToken = ''] = /A workload token .*\n(\S+)\n/.exec(output) ?? []
  const [, lines = ''] = /Try .*\n((?: {2}.+\n)+)/.exec(output) ?? []
  return { npm, url, workloadToken, linesToTry: lines.trimEnd().split('\n') }
}

/** The process that holds everything: the one that npm's shell started, or its child. */
function holderOf({ npm }: Started): number {
  const holder = descendantsOf(npm.pid ?? 0).find((pid) => childrenOf(pid).length > 1)
  if (holder === undefined) throw new Error('npm start has no process of ours')
  return holder
}

async function mayfly(argv: readonly string[], env: Record<string, string>): Promise<string> {
  const { status, stdout, stderr } = await startMayfly(argv, env).ended
  if (status !== 0) throw new Error(`mayfly ${argv.join(' ')}: ${stderr}`)
  return stdout
}

/** Every lease that the broker has of the task, by an operator's token. */
async function leasesOf(taskId: string, { url }: Started): Promise<readonly LeaseBody[]> {
  const operator = join(folder, 'data', 'operator-token')
  const env = { MAYFLY_URL: url, MAYFLY_OPERATOR_TOKEN_FILE: operator }
  const listed = await mayfly(['leases', '--task', taskId, '--json'], env)
  return (JSON.parse(listed) as { leases: LeaseBody[] }).leases // the contract of --json
}

interface Mint {
  readonly providers: readonly ('github' | 'aws' | 'vault')[]
  readonly taskTokenFile: string
}

/** Opens a task with the token that was printed, and mints from each provider. */
async function mint({ url, workloadToken }: Started, wanted: Mint): Promise<string> {
  const words = wanted.providers
    .map((name) => ERRANDS[name])
    .map(({ template, actions, parameters }) => [
      ...['--template', template, ...actions.flatMap((action) => ['--action', action])],
      ...Object.entries(parameters).flatMap(([name, value]) => ['--param', `${name}=${value}`]),
    ])
  const env = { MAYFLY_URL: url, MAYFLY_TOKEN: workloadToken }
  const file = ['--task-token-file', wanted.taskTokenFile]
  const declared = ['--intent', 'a look around', ...words.flat(), ...file, '--json']
  const opened = await mayfly(['task', 'open', ...declared], env)
  await Promise.all(words.map((request) => mayfly(['lease', ...request, ...file], env)))
  return (JSON.parse(opened) as { task: { id: string } }).task.id // the contract of --json
}

const close = ({ url }: Started, taskTokenFile: string): Promise<string> =>
  mayfly(['task', 'close', '--task-token-file', taskTokenFile], { MAYFLY_URL: url })

const states = (leases: readonly LeaseBody[]): readonly string[] => leases.map(({ state }) => state)

test('G3 npm start survives SIGKILL: leases from before are there, and end, and nothing is left', async () => {
  const first = await npmStart()
  const taskTokenFile = join(folder, 'task-token')
  const taskId = await mint(first, { providers: ['github', 'aws', 'vault'], taskTokenFile })
  expect(states(await leasesOf(taskId, first))).toEqual(['active', 'active', 'active'])

  const holder = holderOf(first)
  const below = descendantsOf(holder)
  // Broker, worker, the database server with its own, and what ends that.
  expect(below.length).toBeGreaterThanOrEqual(4)
  const npmEnded = once(first.npm, 'exit')
  process.kill(holder, 'SIGKILL')
  await npmEnded
  await until(() => !below.some(isRunning))
  expect(readdirSync(join(folder, 'tmp')).filter((name) => name.startsWith('mayfly-'))).toEqual([])

  const second = await npmStart()
  expect(second.url).toBe(first.url)
  const kept = await leasesOf(taskId, second)
  expect(states(kept)).toEqual(['active', 'active', 'active'])
  await close(second, taskTokenFile)
  const allRevoked = async () =>
    (await leasesOf(taskId, second)).every(({ state }) => state === 'revoked')
  await until(allRevoked, REVOKED_DEADLINE_MS)

  const next = { providers: ['github'] as const, taskTokenFile: join(folder, 'next-task-token') }
  expect(states(await leasesOf(await mint(second, next), second))).toEqual(['active'])

  // Ctrl-C in a terminal goes to every process of the job.
  const all = descendantsOf(second.npm.pid ?? 0)
  const ended = once(second.npm, 'exit')
  process.kill(-(second.npm.pid ?? 0), 'SIGINT')
  await ended
  await until(() => !all.some(isRunning))
}, 240_000)

test('npm start: the lines that it prints to try do what they say, to the letter', async () => {
  const started = await npmStart()
  expect(started.linesToTry).toHaveLength(3)
  const script = started.linesToTry.flatMap((line, number) => [
    `printf '\\n== %s ==\\n' ${String(number + 1)}`,
    line,
  ])
  const bash = spawn('bash', ['-e', '-c', script.join('\n')], {
    cwd: ROOT,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [, stdout, stderr] = await Promise.all([
    once(bash, 'close'),
    text(bash.stdout),
    text(bash.stderr),
  ])
  expect([bash.exitCode, stderr.replace(/^npm warn .*\n/gm, '')]).toEqual([0, ''])
  const [, sourced = '', read = '', listed = ''] = stdout.split(/^== \d ==$/m)
  expect(sourced.trim()).toBe('')
  expect(JSON.parse(read)).toMatchObject({ data: { data: expect.any(Object) } })
  const row = listed.split('\n').find((line) => line.includes('vault-kv-read'))
  expect(row).toMatch(/^lea_\S+ +(revoking|revoked) /)

  process.kill(holderOf(started), 'SIGTERM')
  await once(started.npm, 'exit')
}, 180_000)
