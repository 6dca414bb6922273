import { makeAwsProvider, parseAwsSettings } from '@mayfly/providers'
import { afterEach, beforeEach, expect, test } from '@jest/globals'

import {
  openAwsStandin,
  resolveSecret,
  settingsFor,
  type AwsFixture,
} from '../../contract/aws-fixture.ts'

const here = new AbortController().signal

let fixture: AwsFixture
beforeEach(async () => {
  fixture = await openAwsStandin()
})
afterEach(() => fixture.stop())

test('a process whose clock is five minutes fast still denies what was ended early', async () => {
  const { aws, denials, provider, scope, clock } = fixture
  const expiresAt = new Date(clock.now().getTime() + 120_000)
  const { handle } = await provider.prepare(scope).mint(
    {
      ...{ leaseId: 'lea_1', taskId: 'tsk_1', agent: 'web-coder', owner: 'alice@acme.example' },
      ...{ template: 'deploy', ttlSeconds: 120, expiresAt },
    },
    here,
  )
  const fast = makeAwsProvider({
    settings: parseAwsSettings(settingsFor(aws.url)),
    resolveSecret,
    deniedSessions: denials,
    clock: { now: () => new Date(clock.now().getTime() + 300_000) },
    timeoutMs: 5000,
  })
  denials.end('lea_1')
  await fast.revoke(handle, here, clock.now())
  await clock.advance(1)
  expect(aws.live()).toEqual([])
})
