import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

import pc from 'picocolors'

import { startActionsTokenService } from './actions-token-service.ts'
import { canaryEnvironment, startCanaryTokens } from './canary.ts'
import { startStack } from './stack.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const directory = process.env['MAYFLY_SANDBOX_DIR'] ?? join(root, '.mayfly')
const write = (text: string): void => void process.stdout.write(text)

const stack = await startStack({
  directory,
  port: Number(process.env['PORT'] ?? 8080),
  ...(process.env['REDIS_URL'] ? { redisUrl: process.env['REDIS_URL'] } : {}),
  environment: canaryEnvironment(directory),
  progress: (step) => {
    write(pc.dim(`starting ${step} …\n`))
  },
})
const stopCanaryTokens = startCanaryTokens(directory, stack.tokens)
const actions = await startActionsTokenService(() => stack.tokens.githubActions('payments'))

const operatorTokenFile = join(directory, 'operator-token')
writeFileSync(operatorTokenFile, await stack.tokens.person('platform'), { mode: 0o600 })
const environmentFile = join(directory, 'env')
const environment = {
  MAYFLY_URL: stack.url.origin,
  MAYFLY_OPERATOR_TOKEN_FILE: operatorTokenFile,
  ...actions.environment,
}
writeFileSync(
  environmentFile,
  Object.entries(environment)
    .map(([name, value]) => `export ${name}='${value}'\n`)
    .join(''),
  { mode: 0o600 },
)

write(`
${pc.bold(pc.green('Mayfly is up'))}  ${stack.url.origin}   ${pc.dim(`API: ${stack.url.origin}/openapi.json`)}

${pc.bold('A workload token')} ${pc.dim('(a GitHub Actions job of acme/payments; it opens one task within ten minutes)')}
${await stack.tokens.githubActions('payments')}

${pc.bold('Try')} ${pc.dim('(in another terminal, in this folder; the first line plays such a job)')}
  source ${relative(process.cwd(), environmentFile)}
  npm run -s mayfly -- run --template vault-kv-read --action secret.read --param team=payments --param secret=app -- node -e 'const { VAULT_ADDR, VAULT_TOKEN } = process.env; fetch(VAULT_ADDR + "/v1/kv/data/payments/app", { headers: { "X-Vault-Token": VAULT_TOKEN } }).then(async (answer) => console.log(await answer.text()))'
  npm run -s mayfly -- leases

${pc.dim(`Logs and data: ${relative(process.cwd(), directory)}/. Ctrl-C stops it.`)}
`)

let stopping = false
async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  write(pc.dim('\nstopping …\n'))
  stopCanaryTokens()
  await actions.stop()
  await stack.stop()
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop())

for (const app of [stack.broker, ...stack.workers]) {
  void app.ended.then((how) => {
    if (stopping) return
    write(
      pc.red(
        `a process ended by itself (${how}); see ${relative(process.cwd(), directory)}/*.log\n`,
      ),
    )
    process.exitCode = 1
    void stop()
  })
}
