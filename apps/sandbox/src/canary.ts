import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { AcmeTokens } from './acme-tokens.ts'

/** One harmless lease from each provider. */
const LEASES = [
  {
    template: 'github-feature-branch',
    actions: ['repo.read'],
    parameters: { repository: 'acme/payments' },
  },
  {
    template: 'aws-artifact-deploy',
    actions: ['infra.change'],
    parameters: { service: 'payments', build: '0.0.0' },
  },
  {
    template: 'vault-kv-read',
    actions: ['secret.read'],
    parameters: { team: 'payments', secret: 'app' },
  },
]

/** More often than the canary flies, which is every ten minutes. */
const RENEW_EVERY_MS = 240_000

/** What makes a worker of this stack fly the canary. */
export function canaryEnvironment(directory: string): Readonly<Record<string, string>> {
  return { CANARY_LEASES: JSON.stringify(LEASES), CANARY_TOKEN_PATH: tokenPath(directory) }
}

/** Renews the canary's workload token, as a SPIFFE helper would. Returns how to stop. */
export function startCanaryTokens(
  directory: string,
  tokens: Pick<AcmeTokens, 'githubActions'>,
): () => void {
  const path = tokenPath(directory)
  const renew = async (): Promise<void> => {
    writeFileSync(`${path}.new`, await tokens.githubActions('payments'), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }
  // A stand-in that is stopping gives no token; the canary says so if that matters.
  const renewOrNot = (): void => void renew().catch(() => undefined)
  renewOrNot()
  const timer = setInterval(renewOrNot, RENEW_EVERY_MS)
  return () => {
    clearInterval(timer)
  }
}

function tokenPath(directory: string): string {
  return join(directory, 'canary-token')
}
