import { startGithubStandin, type GithubStandin } from '@mayfly/standins'

const PERMISSIONS = {
  contents: 'write',
  pull_requests: 'write',
  checks: 'write',
  packages: 'write',
  issues: 'write',
} as const

interface AcmeGithubOptions {
  readonly appKey: string
  readonly port?: number
}

/** Acme's GitHub: one App, installed on the organisation that `examples/acme` speaks of. */
export function startAcmeGithub({ appKey, ...at }: AcmeGithubOptions): Promise<GithubStandin> {
  return startGithubStandin({
    ...at,
    apps: [{ appId: 1, slug: 'acme-mayfly', publicKey: appKey, permissions: PERMISSIONS }],
    installations: [
      {
        id: 1001,
        appId: 1,
        account: 'acme',
        repositories: [
          { id: 4201, name: 'web' },
          { id: 4202, name: 'payments' },
          { id: 4203, name: 'release' },
          { id: 4204, name: 'policies' },
          { id: 4205, name: 'audit' },
        ],
      },
    ],
  })
}
