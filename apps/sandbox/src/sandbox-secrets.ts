import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

import type { OidcStandinKeys } from '@mayfly/standins'
import { z } from 'zod'

const schema = z.strictObject({
  sealingKey: z.string(),
  githubAppKey: z.string(),
  awsMinterSecret: z.string(),
  awsRevokerSecret: z.string(),
  vaultRootToken: z.string(),
  vaultSecretId: z.string(),
  /** Private JWKs by issuer: a token from before a restart still verifies. */
  oidcKeys: z.custom<OidcStandinKeys>((value) => typeof value === 'object').nullable(),
})

export type SandboxSecrets = z.infer<typeof schema>

/**
 * Key material of this sandbox alone, made at its first start and kept beside its data: the sealing
 * key must survive a restart, or sealed handles could never be opened again.
 */
export function loadSandboxSecrets(path: string): SandboxSecrets {
  if (existsSync(path)) return schema.parse(JSON.parse(readFileSync(path, 'utf8')))
  const secrets: SandboxSecrets = {
    sealingKey: `sandbox:${randomBytes(32).toString('base64')}`,
    githubAppKey: generateKeyPairSync('rsa', { modulusLength: 2048 })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString(),
    awsMinterSecret: randomBytes(30).toString('base64'),
    awsRevokerSecret: randomBytes(30).toString('base64'),
    vaultRootToken: `hvs.${randomBytes(24).toString('base64url')}`,
    vaultSecretId: randomBytes(24).toString('base64url'),
    oidcKeys: null,
  }
  saveSandboxSecrets(path, secrets)
  return secrets
}

export function saveSandboxSecrets(path: string, secrets: SandboxSecrets): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(path, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 })
}
