/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'core-is-pure',
      comment: 'core imports nothing but a few Node utilities',
      severity: 'error',
      from: { path: '^packages/core/src' },
      to: { pathNot: ['^packages/core/src', '^(node:)?(util|crypto)$'] },
    },
    {
      name: 'adapters-see-only-core',
      severity: 'error',
      from: { path: '^packages/(identity|policy|providers|store|queue|runtime)/src/' },
      to: { path: '^(packages|apps)/', pathNot: ['^packages/core/', '^packages/$1/'] },
    },
    {
      name: 'protocol-and-standins-see-nothing-of-ours',
      severity: 'error',
      from: { path: '^packages/(protocol|standins)/src/' },
      to: { path: '^(packages|apps)/', pathNot: '^packages/$1/' },
    },
    {
      name: 'packages-never-see-apps',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^apps/' },
    },
    {
      name: 'apps-never-see-apps',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'standins-never-in-production',
      severity: 'error',
      from: { path: '^apps/(broker|worker|cli)/' },
      to: { path: '^packages/standins/' },
    },
    {
      name: 'cli-talks-http-only',
      severity: 'error',
      from: { path: '^apps/cli/' },
      to: { path: '^packages/', pathNot: '^packages/protocol/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|generated)/' },
    tsConfig: { fileName: 'tsconfig.base.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@mayfly/source', 'import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
  },
}
