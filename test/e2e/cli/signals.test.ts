import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import { startFakeBroker, TASK_ID, type FakeBroker } from '../../unit/cli/fake-broker.ts'
import { startMayfly } from './run-process.ts'

const node = process.execPath

let broker: FakeBroker
beforeEach(async () => {
  broker = await startFakeBroker()
})
afterEach(() => broker.stop())

const LIFE_OF_A_TASK = ['POST /v1/tasks', 'POST /v1/leases', `POST /v1/tasks/${TASK_ID}/close`]

function run(command: string[]) {
  const options = ['-t', 'github', '-a', 'repo.write', '--']
  const env = { MAYFLY_URL: broker.url, MAYFLY_TOKEN: 'workload-token' }
  return startMayfly(['run', ...options, ...command], env)
}

describe('a signal does not keep the credentials alive', () => {
  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('%s reaches the command, and we wait for it', async (signal, expected) => {
    const script = `
      process.on('${signal}', () => { console.log('told'); setTimeout(() => process.exit(7), 50) })
      setInterval(() => {}, 1000)
      console.log('ready')`
    const { child, ended } = run([node, '-e', script])
    child.stdout?.once('data', () => child.kill(signal))
    expect(await ended).toEqual({ status: 7, stdout: 'ready\ntold\n', stderr: '' })
    expect(broker.routes()).toEqual(LIFE_OF_A_TASK)

    const killed = run([node, '-e', "console.log('ready'); setInterval(() => {}, 1000)"])
    killed.child.stdout?.once('data', () => killed.child.kill(signal))
    expect((await killed.ended).status).toBe(expected)
    expect(broker.routes()).toEqual([...LIFE_OF_A_TASK, ...LIFE_OF_A_TASK])
  })

  test('a signal while a credential is being minted', async () => {
    broker.answer('POST /v1/leases', { status: 201, body: {}, hang: true })
    const { child, ended } = run([node, '-e', 'console.log(1)'])
    await broker.called('POST /v1/leases')
    child.kill('SIGTERM')
    expect(await ended).toEqual({ status: 143, stdout: '', stderr: '' })
    expect(broker.routes()).toEqual(LIFE_OF_A_TASK)
  })
})

test('nothing of a credential is left in a file or on a stream of ours', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mayfly-run-'))
  const script =
    "require('fs').writeFileSync('proc', require('fs').readFileSync('/proc/' + process.ppid + '/cmdline'))"
  const command = ['sh', '-c', `cd ${folder} && exec ${node} -e "${script}"`]
  const { stdout, stderr, status } = await run(command).ended
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  const commandLine = await readFile(join(folder, 'proc'), 'utf8')
  expect(commandLine).toContain('mayfly')
  expect(commandLine).not.toMatch(/canary|workload-token/)
  await rm(folder, { recursive: true })
})
