/** What an agent of the payments team may ask for, one per kind of credential. */
export const ERRANDS = {
  github: {
    template: 'github-feature-branch',
    actions: ['repo.write'],
    parameters: { repository: 'acme/payments' },
  },
  aws: {
    template: 'aws-artifact-deploy',
    actions: ['infra.change'],
    parameters: { service: 'payments', build: '1.4.0' },
  },
  vault: {
    template: 'vault-kv-read',
    actions: ['secret.read'],
    parameters: { team: 'payments', secret: 'app' },
  },
  database: {
    template: 'vault-database-readonly',
    actions: ['secret.read'],
    parameters: { database: 'orders' },
  },
} as const

export type ErrandName = keyof typeof ERRANDS
export const ERRAND_NAMES = ['github', 'aws', 'vault', 'database'] as const
