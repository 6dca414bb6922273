import { describeProvider } from './provider-contract.ts'
import { call, openGithub, scope } from './github-fixture.ts'

describeProvider('github', async () => {
  const { github, provider, clock, privateKey } = await openGithub()
  return {
    provider,
    clock,
    scope,
    malformedScopes: [
      { account: 'acme', repositories: ['payments'], permissions: {} },
      { account: 'acme', repositories: [], permissions: { contents: 'read' } },
      { account: 'acme', permissions: { contents: 'read' } },
      { account: 'acme', repositories: ['payments'], permissions: { contents: 'admin' } },
      { account: 'nobody', repositories: ['payments'], permissions: { contents: 'read' } },
    ],
    secrets: privateKey.split('\n').filter((line) => /^[A-Za-z0-9+/=]{16,}$/.test(line)),
    async works(credential) {
      const path = '/repos/acme/payments/contents/README.md'
      return (await call(github, credential, { path })).status === 200
    },
    async forbidden(credential) {
      const elsewhere = await call(github, credential, { path: '/repos/acme/web' })
      const other = await call(github, credential, { path: '/repos/acme/payments/pulls' })
      return elsewhere.status === 404 && other.status === 403
    },
    requests: () => github.requests().length,
    live: () => github.live().length,
    loseNextAnswer: () => {
      github.faults.next({ kind: 'lost' }, 'mint')
    },
    stop: () => github.stop(),
  }
})
