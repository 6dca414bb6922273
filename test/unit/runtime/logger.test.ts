import { describe, expect, test } from '@jest/globals'
import { MayflyError, Secret } from '@mayfly/core'
import { makeLogger, makeReport, type Logger } from '@mayfly/runtime'

function capture(): { logger: Logger; lines: () => Record<string, unknown>[]; text: () => string } {
  const written: string[] = []
  const logger = makeLogger({
    name: 'test',
    level: 'info',
    destination: { write: (line) => void written.push(line) },
  })
  return {
    logger,
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
    text: () => written.join(''),
  }
}

const SECRETS = {
  'GitHub installation token': `ghs_${'aB3.'.repeat(130)}`,
  'GitHub personal token': `ghp_${'x'.repeat(36)}`,
  'AWS access key id': 'ASIAQWERTYUIOPASDFGH',
  'AWS session token': `IQoJb3JpZ2luX2Vj${'Ab+/'.repeat(60)}==`.replace('_', ''),
  'Vault token': `hvs.${'CAESI'.repeat(6)}`,
  'OpenBao token': `s.${'Ab1'.repeat(8)}`,
  'workload token': `eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZ2VudCJ9.${'c2ln'.repeat(10)}`,
  'private key': `-----BEGIN PRIVATE KEY-----\n${'MIIEvQ\n'.repeat(4)}-----END PRIVATE KEY-----`,
}

describe('the log', () => {
  test.each(Object.entries(SECRETS))('R118 has no %s, wherever it turns up', (_name, secret) => {
    const { logger, lines, text } = capture()
    const provider = Object.assign(new Error(`upstream said ${secret} is bad`), {
      response: { data: secret },
      request: { headers: { authorization: `Bearer ${secret}` } },
    })
    logger.info({ detail: `before ${secret} "after"`, deep: { list: [secret] } }, `got ${secret}`)
    logger.error({ err: new MayflyError('provider_rejected', 'no', { cause: provider }) }, 'failed')
    logger.warn({ [secret]: 1, credential: { token: secret }, headers: { authorization: secret } })

    expect(lines()).toHaveLength(3)
    const core = secret.split('\n')[1] ?? secret.slice(8, 40)
    expect(text()).not.toContain(core)
    expect(text()).toContain('[redacted]')
  })

  test('a password in a URL is taken out, the rest of it stays', () => {
    const { logger, text } = capture()
    logger.warn({ err: new Error('cannot reach postgres://mayfly:hunter2@db:5432/mayfly') })
    expect(text()).toContain('postgres://mayfly:[redacted]@db:5432/mayfly')
    expect(text()).not.toContain('hunter2')
  })

  test('a Secret prints as redacted, in objects, text and errors', () => {
    const { logger, text } = capture()
    const secret = new Secret('canary-without-a-shape')
    logger.info({ secret, nested: { name: secret }, list: [secret] }, String(secret))
    logger.error({ err: Object.assign(new Error('x'), { handle: secret }) })
    expect(text()).not.toContain('canary')
  })

  test('an error keeps its type, code, message, stack and causes, and nothing that hangs on it', () => {
    const { logger, lines } = capture()
    const cause = Object.assign(new Error('connect ECONNREFUSED'), {
      code: 'ECONNREFUSED',
      port: 1,
    })
    logger.error({ err: new MayflyError('database_unavailable', 'no database', { cause }) }, 'oh')
    expect(lines()[0]).toMatchObject({
      name: 'test',
      msg: 'oh',
      err: {
        type: 'MayflyError',
        code: 'database_unavailable',
        message: 'no database',
        cause: { type: 'Error', code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' },
      },
    })
    expect(JSON.stringify(lines()[0])).not.toContain('"port"')
  })

  test('a thrown thing that is no error is named, not printed', () => {
    const { logger, lines } = capture()
    makeReport(logger)('revocation not scheduled', 'canary', { leaseId: 'lea_1' })
    expect(lines()[0]).toMatchObject({
      level: 40,
      msg: 'revocation not scheduled',
      leaseId: 'lea_1',
      err: { type: 'string', message: 'not an Error' },
    })
  })
})
