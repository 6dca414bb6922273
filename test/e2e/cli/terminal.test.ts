import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { CredentialText, makeClient } from '@mayfly/protocol'

import { ERRANDS } from '../../support/errands.ts'
import {
  openOnTerminal,
  pseudoTerminalsHere,
  type PseudoTerminal,
} from '../../support/pseudo-terminal.ts'
import { openWorld, type World } from '../world.ts'

const here = pseudoTerminalsHere()
if (!here) console.log('CLI on a terminal: left out, there is no script(1) of util-linux')

const CTRL_C = '\u0003'
const ESCAPE = '\u001B'

let world: World
let token: string
beforeAll(async () => {
  if (!here) return
  world = await openWorld()
  token = await world.stack.tokens.person('responder')
}, 120_000)
afterAll(() => (here ? world.stop() : undefined), 60_000)

function mayfly(...words: readonly string[]): PseudoTerminal {
  const program = ['--conditions=@mayfly/source', '--import', 'tsx', 'apps/cli/src/main.ts']
  return openOnTerminal([process.execPath, ...program, ...words], {
    MAYFLY_URL: world.stack.url.href,
    MAYFLY_OPERATOR_TOKEN: token,
  })
}

const CONTAIN = [
  'contain',
  '--repository',
  'acme/payments',
  '--reason',
  'leak',
  '--incident',
  'INC-1',
]

async function freezes(): Promise<number> {
  const client = makeClient({ baseUrl: world.stack.url })
  return (await client.listFreezes({ inForce: true }, { token: new CredentialText(token) })).length
}

const describeHere = here ? describe : describe.skip

describeHere('on a terminal, mayfly contain', () => {
  test('asks for the number of leases, and another answer changes nothing', async () => {
    const task = await world.openTask()
    const { lease } = await world.issue(task, ERRANDS.github)
    const terminal = mayfly(...CONTAIN)
    await terminal.shows(lease.id)
    await terminal.shows('Type 1 to kill these leases: ')
    terminal.type('yes\r')
    await terminal.shows('not confirmed: nothing was changed')
    expect(await terminal.ended).toBe(2)
    expect([await freezes(), (await world.lease(lease.id)).state]).toEqual([0, 'active'])
  }, 60_000)

  test('Ctrl-C at the question changes nothing', async () => {
    const terminal = mayfly(...CONTAIN)
    await terminal.shows('Type 1 to kill these leases: ')
    terminal.type(CTRL_C)
    expect(await terminal.ended).toBe(130)
    expect(await freezes()).toBe(0)
  }, 60_000)

  test('the number starts it, a bar tells how far it is, and a table shows each proof', async () => {
    const terminal = mayfly(...CONTAIN)
    await terminal.shows('Type 1 to kill these leases: ')
    terminal.type('1\r')
    await terminal.shows('finished: 1 of 1 dead')
    await terminal.shows('GitHub answered 401')
    expect(await terminal.ended).toBe(0)
    expect(terminal.raw()).toContain(`\r${ESCAPE}[K`)
    expect(await freezes()).toBe(1)
  }, 60_000)
})

describeHere('on a terminal, mayfly watch', () => {
  test.each([
    ['q', 'q'],
    ['Ctrl-C', CTRL_C],
  ])(
    'draws over its own picture until %s ends it',
    async (_, key) => {
      const task = await world.openTask()
      const terminal = mayfly('watch', '--every', '1s')
      await terminal.shows('live leases at')
      const { lease } = await world.issue(task, ERRANDS.vault)
      await terminal.shows(lease.id)
      await world.call('POST', `/v1/tasks/${task.id}/close`, { token: task.token })
      await terminal.shows('nothing is live')
      terminal.type(key)
      expect(await terminal.ended).toBe(0)
      expect(terminal.raw()).toContain(`${ESCAPE}[H`)
      expect(terminal.raw()).toMatch(new RegExp(`${ESCAPE}\\[3\\dm`))
    },
    60_000,
  )
})
