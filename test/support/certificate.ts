import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
}

/** The version of the `openssl` on the path, or null when there is none. */
export function opensslVersion(): string | null {
  const { status, stdout } = spawnSync('openssl', ['version'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

/** A certificate for 127.0.0.1 that signed itself, in two PEM files. */
export function makeCertificate(folder: string, name: string): Certificate {
  const certFile = join(folder, `${name}.crt`)
  const keyFile = join(folder, `${name}.key`)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', keyFile, '-out', certFile]
  const args = ['req', '-x509', '-days', '1', ...key, ...subject, ...files]
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl: ${stderr}`)
  return { certFile, keyFile }
}
