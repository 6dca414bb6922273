import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { MintError, Secret, UnacceptableMintError, type MintRequest } from '@mayfly/core'
import { makeAwsProvider, parseAwsSettings } from '@mayfly/providers'
import type { AwsFault } from '@mayfly/standins'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'

import {
  MINTER_ARN,
  openAwsStandin,
  resolveSecret,
  SCOPE,
  settingsFor,
  standinOptions,
  type AwsFixture,
} from '../../contract/aws-fixture.ts'
import { makeMemoryDenials } from '../../support/memory-denials.ts'
import { expectNoSecrets } from '../../contract/provider-contract.ts'

const soon = () => AbortSignal.timeout(10_000)

function request(more: Partial<MintRequest> = {}): MintRequest {
  return {
    leaseId: 'lea_1',
    taskId: 'tsk_1',
    agent: 'claude-payments',
    owner: 'ada@acme.example',
    template: 'artifact-upload',
    ttlSeconds: 900,
    expiresAt: new Date(Date.now() + 900_000),
    ...more,
  }
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
    return 'it succeeded'
  } catch (error) {
    if (!(error instanceof MintError)) return error
    const { code, effect, retryable, details } = error
    return { code, effect, retryable, reason: details['reason'] }
  }
}

describe('what a failed AssumeRole means', () => {
  let fixture: AwsFixture

  beforeEach(async () => {
    fixture = await openAwsStandin({ timeoutMs: 700 })
  })
  afterEach(() => fixture.stop())

  const mint = (more: Partial<MintRequest> = {}) =>
    fixture.provider.prepare(SCOPE).mint(request(more), soon())
  const rejected = (reason: string) => ({
    code: 'provider_rejected',
    effect: 'none',
    retryable: false,
    reason,
  })
  const throttled = {
    code: 'provider_throttled',
    effect: 'none',
    retryable: true,
    reason: 'throttled',
  }
  const unknown = (reason: string) => ({
    code: 'provider_unavailable',
    effect: 'unknown',
    retryable: true,
    reason,
  })

  test.each<[AwsFault, unknown]>([
    [{ kind: 'error', status: 403, code: 'AccessDenied' }, rejected('access_denied')],
    [{ kind: 'error', status: 400, code: 'MalformedPolicyDocument' }, rejected('malformed_policy')],
    [
      { kind: 'error', status: 400, code: 'PackedPolicyTooLarge' },
      rejected('packed_policy_too_large'),
    ],
    [{ kind: 'error', status: 403, code: 'RegionDisabledException' }, rejected('region_disabled')],
    [{ kind: 'error', status: 403, code: 'ExpiredToken' }, rejected('broker_credentials_refused')],
    [
      { kind: 'error', status: 403, code: 'InvalidClientTokenId' },
      rejected('broker_credentials_refused'),
    ],
    [
      { kind: 'error', status: 403, code: 'SignatureDoesNotMatch' },
      rejected('broker_credentials_refused'),
    ],
    [{ kind: 'error', status: 400, code: 'ValidationError' }, rejected('request_invalid')],
    [{ kind: 'error', status: 400, code: 'SomethingNew' }, rejected('refused')],
    [{ kind: 'error', status: 400, code: 'Throttling' }, throttled],
    [{ kind: 'error', status: 403, code: 'RequestLimitExceeded' }, throttled],
    [{ kind: 'error', status: 429, code: 'TooManyRequestsException' }, throttled],
    [{ kind: 'error', status: 500, code: 'InternalFailure' }, unknown('no_usable_answer')],
    [{ kind: 'error', status: 503, code: 'ServiceUnavailable' }, unknown('no_usable_answer')],
    [{ kind: 'garbage' }, unknown('no_usable_answer')],
    [{ kind: 'empty' }, unknown('no_usable_answer')],
    [{ kind: 'lost' }, unknown('no_answer')],
    [{ kind: 'hang' }, unknown('no_answer')],
  ])('R74 %j', async (fault, meaning) => {
    fixture.aws.faults.next(fault)
    expect(await failure(mint())).toEqual(meaning)
    // One request, whatever happened: a lost answer must not become a second session.
    expect(fixture.aws.requests()).toEqual(['AssumeRole'])
  })

  test.each<[string, Partial<MintRequest>, string[]]>([
    ['an owner with a space', { owner: 'Ada Lovelace' }, ['owner']],
    ['an owner that AWS reserves', { owner: 'aws:ada' }, ['owner']],
    ['a lease id that is no session name', { leaseId: 'lea/1' }, ['lease id']],
    ['a tag that is too long', { template: 't'.repeat(257) }, ['mayfly:template']],
    [
      'a tag with other characters',
      { agent: 'agent*', taskId: 'tsk?' },
      ['mayfly:task', 'mayfly:agent'],
    ],
  ])('R74 %s is refused before the call, and not rewritten', async (_what, more, fields) => {
    const error = mint(more)
    await expect(error).rejects.toMatchObject({
      effect: 'none',
      code: 'scope_invalid',
      details: { fields },
    })
    expect(fixture.aws.requests()).toEqual([])
  })

  test('R74 a lease longer than a session is refused before the call', async () => {
    expect(await failure(mint({ ttlSeconds: 3601 }))).toEqual({
      code: 'ttl_too_long',
      effect: 'none',
      retryable: false,
      reason: undefined,
    })
    expect(fixture.aws.requests()).toEqual([])
  })

  test('a missing secret of ours means that nothing was sent', async () => {
    const provider = makeAwsProvider({
      settings: parseAwsSettings(settingsFor(fixture.aws.url)),
      resolveSecret: () => Promise.reject(new Error('the file is gone')),
      deniedSessions: makeMemoryDenials({ now: () => new Date() }),
      clock: fixture.clock,
      timeoutMs: 1000,
    })
    expect(await failure(provider.prepare(SCOPE).mint(request(), soon()))).toEqual({
      code: 'provider_unavailable',
      effect: 'none',
      retryable: true,
      reason: 'not_reached',
    })
    expect(fixture.aws.requests()).toEqual([])
  })
})

test('R73 a trust policy can insist on session name, owner, tags and external id', async () => {
  const [role] = standinOptions().roles
  if (!role) throw new Error('the fixture has a role')
  const trust = {
    Version: '2012-10-17',
    Statement: {
      Effect: 'Allow',
      Principal: { AWS: MINTER_ARN },
      Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
      Condition: {
        StringLike: { 'sts:RoleSessionName': 'lea_*', 'sts:SourceIdentity': '*@acme.example' },
        StringEquals: {
          'sts:ExternalId': 'mayfly',
          'aws:RequestTag/mayfly:agent': 'claude-payments',
        },
        'ForAllValues:StringEquals': {
          'aws:TagKeys': ['mayfly:task', 'mayfly:agent', 'mayfly:template'],
        },
      },
    },
  }
  const fixture = await openAwsStandin({
    settings: { externalId: 'mayfly' },
    standin: { roles: [{ ...role, trustPolicy: trust }] },
  })
  const mint = (more: Partial<MintRequest>) =>
    fixture.provider.prepare(SCOPE).mint(request(more), soon())
  await expect(mint({})).resolves.toMatchObject({ credential: { region: 'eu-west-1' } })
  await expect(mint({ owner: 'mallory@else.example' })).rejects.toMatchObject({
    details: { reason: 'access_denied' },
  })
  await expect(mint({ agent: 'another' })).rejects.toMatchObject({
    details: { reason: 'access_denied' },
  })
  await fixture.stop()
})

describe('an answer that is not what was asked for', () => {
  const inAnHour = () => new Date(Date.now() + 900_000).toISOString()

  async function mintAgainst(result: string): Promise<unknown> {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/xml', connection: 'close' })
      response.end(
        `<AssumeRoleResponse><AssumeRoleResult>${result}</AssumeRoleResult></AssumeRoleResponse>`,
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo // a TCP server that listens has one
    const provider = makeAwsProvider({
      settings: parseAwsSettings(settingsFor(new URL(`http://127.0.0.1:${String(port)}`))),
      resolveSecret,
      deniedSessions: makeMemoryDenials({ now: () => new Date() }),
      clock: { now: () => new Date() },
      timeoutMs: 2000,
    })
    try {
      return await provider.prepare(SCOPE).mint(request(), soon())
    } catch (error) {
      return error
    } finally {
      server.close()
      server.closeAllConnections()
    }
  }

  const credentials = (expiration: string) =>
    `<Credentials><AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>hush-hush</SecretAccessKey><SessionToken>token-hush</SessionToken><Expiration>${expiration}</Expiration></Credentials>`
  const user = (name: string) =>
    `<AssumedRoleUser><AssumedRoleId>AROAX:${name}</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/${name}</Arn></AssumedRoleUser>`

  test('is accepted when everything fits', async () => {
    const minted = await mintAgainst(credentials(inAnHour()) + user('artifacts/lea_1'))
    expect(minted).toMatchObject({
      credential: { accessKeyId: new Secret('ASIAX'), region: 'eu-west-1' },
    })
  })

  test.each([
    [
      'lives longer',
      () => credentials(new Date(Date.now() + 3_600_000).toISOString()) + user('artifacts/lea_1'),
    ],
    ['is of another role', () => credentials(inAnHour()) + user('admin/lea_1')],
    ['has another name', () => credentials(inAnHour()) + user('artifacts/lea_2')],
    [
      'has another source identity',
      () =>
        `${credentials(inAnHour())}${user('artifacts/lea_1')}<SourceIdentity>mallory</SourceIdentity>`,
    ],
  ])('is given back to be revoked when the session %s', async (_what, answer) => {
    const error = await mintAgainst(answer())
    expect(error).toBeInstanceOf(UnacceptableMintError)
    expect(error).toMatchObject({
      code: 'provider_overbroad',
      minted: { credential: { region: 'eu-west-1' } },
    })
    expectNoSecrets([error], ['hush-hush', 'token-hush'])
  })

  test.each([
    ['no credentials', () => user('artifacts/lea_1')],
    [
      'no secret key',
      () =>
        credentials(inAnHour()).replace(/<SecretAccessKey>.*<\/SecretAccessKey>/, '') +
        user('artifacts/lea_1'),
    ],
    [
      'no end',
      () => credentials('').replace(/<Expiration>.*<\/Expiration>/, '') + user('artifacts/lea_1'),
    ],
    ['half an answer', () => credentials(inAnHour()) + '</oops>'],
  ])('has an unknown effect when it has %s, and its text goes nowhere', async (_what, answer) => {
    const error = await mintAgainst(answer())
    expect(error).toMatchObject({
      code: 'provider_unavailable',
      effect: 'unknown',
      retryable: true,
    })
    expectNoSecrets([error], ['hush-hush', 'token-hush'])
  })
})
