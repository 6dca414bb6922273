import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'

import { makeCertificate, opensslVersion, type Certificate } from '../../support/certificate.ts'
import { createDatabase, type TestDatabase } from '../../support/database.ts'
import { startRunningBroker, type RunningBroker } from './running-broker.ts'

const version = opensslVersion()
process.stdout.write(`TLS of the broker: ${version ?? 'left out, there is no openssl here'}\n`)

let folder: string
let certificate: Certificate
let database: TestDatabase
let running: RunningBroker | null = null
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mayfly-tls-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(async () => {
  database = await createDatabase()
})
afterEach(async () => {
  await running?.stop()
  running = null
  await database.drop()
})

function start(files: Certificate): Promise<RunningBroker> {
  return startRunningBroker({
    DATABASE_URL: database.connectionString,
    TLS_CERT_FILE: files.certFile,
    TLS_KEY_FILE: files.keyFile,
  })
}

function get(url: URL, ca: Buffer): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { ca, agent: false }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode, body })
      }, reject)
    })
    asking.once('error', reject).end()
  })
}

const describeWithOpenssl = version === null ? describe.skip : describe

describeWithOpenssl('a broker with a certificate', () => {
  beforeAll(() => {
    certificate = makeCertificate(folder, 'good')
  })

  test('serves https to who trusts it, and nothing else on its port', async () => {
    running = await start(certificate)
    const { url } = running.broker
    expect(url.protocol).toBe('https:')
    const healthz = new URL('/healthz', url)
    const trusted = readFileSync(certificate.certFile)
    expect(await get(healthz, trusted)).toMatchObject({ status: 200 })

    const other = makeCertificate(folder, 'other')
    await expect(get(healthz, readFileSync(other.certFile))).rejects.toMatchObject({
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
    const plain = new URL(healthz)
    plain.protocol = 'http:'
    await expect(fetch(plain)).rejects.toThrow('fetch failed')
  })

  test('speaks no TLS older than 1.2', async () => {
    running = await start(certificate)
    const { hostname, port } = running.broker.url
    const old = connect({
      host: hostname,
      port: Number(port),
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
      rejectUnauthorized: false,
    })
    const refused = await new Promise<string>((resolve) => {
      old.once('secureConnect', () => {
        resolve('connected')
      })
      old.once('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? error.message)
      })
    })
    old.destroy()
    expect(refused).toMatch(/^(?:ERR_SSL_|EPROTO|ECONNRESET)/)
  })

  test.each<[string, () => Certificate, string]>([
    [
      'a certificate that is missing',
      () => ({ ...certificate, certFile: join(folder, 'no.crt') }),
      'TLS_CERT_FILE',
    ],
    [
      'a key that is missing',
      () => ({ ...certificate, keyFile: join(folder, 'no.key') }),
      'TLS_KEY_FILE',
    ],
    ['a folder for a key', () => ({ ...certificate, keyFile: folder }), 'TLS_KEY_FILE'],
    [
      'a certificate that is none',
      () => {
        const certFile = join(folder, 'text.crt')
        writeFileSync(certFile, 'not a certificate')
        return { ...certificate, certFile }
      },
      'TLS_CERT_FILE',
    ],
    [
      'a key of another certificate',
      () => ({ ...certificate, keyFile: makeCertificate(folder, 'another').keyFile }),
      'TLS_KEY_FILE',
    ],
  ])('does not start with %s, and says which', async (_what, files, variable) => {
    const wrong = files()
    const error = await start(wrong).then(
      async (started) => {
        await started.stop()
        return null
      },
      (refusal: unknown) => refusal,
    )
    expect(error).toMatchObject({
      name: 'ConfigurationError',
      message: expect.stringContaining(variable),
    })
  })

  // Root reads everything.
  const testUnlessRoot = process.getuid?.() === 0 ? test.skip : test
  testUnlessRoot('does not start with a key that it may not read', async () => {
    const { certFile, keyFile } = makeCertificate(folder, 'locked')
    chmodSync(keyFile, 0)
    await expect(start({ certFile, keyFile })).rejects.toMatchObject({ name: 'ConfigurationError' })
  })
})
