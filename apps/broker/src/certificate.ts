import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { ConfigurationError } from '@mayfly/runtime'

import type { BrokerConfig } from './config.ts'

/** PEM, as `node:https` takes it. */
export interface Certificate {
  readonly cert: Buffer
  readonly key: Buffer
}

/**
 * Reads what the broker proves itself with, first thing: a broker that cannot serve should not have
 * touched the database. Throws {@link ConfigurationError}, which never quotes the key.
 */
export function loadCertificate(files: NonNullable<BrokerConfig['tls']>): Certificate {
  const cert = read('TLS_CERT_FILE', files.certFile)
  const key = read('TLS_KEY_FILE', files.keyFile)
  const certificate = parsed('TLS_CERT_FILE holds no PEM certificate', () => {
    return new X509Certificate(cert)
  })
  const privateKey = parsed('TLS_KEY_FILE holds no PEM key without a passphrase', () => {
    return createPrivateKey(key)
  })
  if (!certificate.checkPrivateKey(privateKey))
    throw wrong('TLS_KEY_FILE is not the key of the first certificate in TLS_CERT_FILE')
  return { cert, key }
}

function read(variable: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw wrong(`${variable}: ${path} cannot be read (${code})`)
  }
}

function parsed<Result>(complaint: string, parse: () => Result): Result {
  try {
    return parse()
  } catch {
    // What OpenSSL says about it is of no use to whoever wrote the wrong path.
    throw wrong(complaint)
  }
}

function wrong(problem: string): ConfigurationError {
  return new ConfigurationError(`invalid configuration\n  ${problem}`)
}
