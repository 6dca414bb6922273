import { setTimeout as delay } from 'node:timers/promises'

import {
  CredentialText,
  makeClient,
  ProblemError,
  type Client,
  type LeaseBody,
  type OpenedLease,
  type OpenLeaseRequest,
  type Problem,
} from '@mayfly/protocol'
import pc from 'picocolors'

import type { Stack } from '../stack.ts'
import type { Story } from './story.ts'
import { renderTimeline } from './timeline.ts'
import { awsUses, githubUses, vaultUses, type ProviderUses } from './use-credential.ts'

const SHORT_SECONDS = 6
const SETTLE_DEADLINE_MS = 30_000

interface Errand {
  readonly request: OpenLeaseRequest
  readonly uses: ProviderUses
}

interface Scene {
  readonly stack: Stack
  readonly story: Story
  readonly client: Client
  readonly token: CredentialText
  readonly taskId: string
}

/** The whole story on a running stack: ask, use, be refused, run out, close, prove. */
export async function tellDemo(stack: Stack, story: Story): Promise<readonly LeaseBody[]> {
  const client = makeClient({ baseUrl: stack.url })
  story.chapter('A wrapper proves what it is and says why it is here')
  const workload = new CredentialText(await stack.tokens.githubActions('payments'))
  const { task, taskToken } = await client.openTask(
    {
      intent: { reason: 'fix the flaky checkout test and ship 1.4.0', ticket: 'PAY-1234' },
      declarations: errands(stack).map(({ request }) => ({
        template: request.template,
        actions: request.actions,
        parameters: request.template === 'vault-kv-read' ? {} : request.parameters,
      })),
    },
    { token: workload },
  )
  story.say(`workload token of GitHub Actions → agent ${pc.bold(task.agent)}, owner ${task.owner}`)
  story.say(
    `task ${pc.bold(task.id)}, declared: ${task.declarations.map(({ template }) => template).join(', ')}`,
  )

  const scene = { stack, story, client, token: taskToken, taskId: task.id }
  const leases = await runErrands(scene)
  await askForTooMuch(scene)
  await letOneRunOut(scene, leases)
  return closeAndProve(scene, leases)
}

function errands({ standins }: Stack): readonly Errand[] {
  return [
    {
      request: {
        template: 'github-feature-branch',
        actions: ['repo.write'],
        parameters: { repository: 'acme/payments' },
        ttlSeconds: SHORT_SECONDS,
      },
      uses: githubUses(standins),
    },
    {
      request: {
        template: 'aws-artifact-deploy',
        actions: ['infra.change'],
        parameters: { service: 'payments', build: '1.4.0' },
        ttlSeconds: 300,
      },
      uses: awsUses(standins),
    },
    {
      request: {
        template: 'vault-kv-read',
        actions: ['secret.read'],
        parameters: { team: 'payments', secret: 'app' },
        ttlSeconds: 120,
      },
      uses: vaultUses(standins),
    },
  ]
}

type Explanation = NonNullable<Problem['explanation']>

interface Held extends OpenedLease {
  readonly uses: ProviderUses
}

async function runErrands({ stack, story, client, token }: Scene): Promise<readonly Held[]> {
  const held: Held[] = []
  for (const { request, uses } of errands(stack)) {
    story.chapter(`${request.template}: one credential for ${request.actions.join(', ')}`)
    const startedAt = performance.now()
    const opened = await client.openLease(request, { token })
    const took = `${(performance.now() - startedAt).toFixed(0)} ms`
    story.say(
      `lease ${pc.bold(opened.lease.id)} for ${String(request.ttlSeconds)} s, minted in ${took}`,
    )
    story.say(pc.dim(`can reach ${opened.lease.targets.join(', ')}`))
    const allowed = await uses.allowed.run(opened.credential)
    story.check(`${uses.allowed.what} → ${String(allowed)}`, allowed < 300)
    const forbidden = await uses.forbidden.run(opened.credential)
    story.check(
      `${uses.forbidden.what} → ${String(forbidden)}, refused by the provider`,
      forbidden >= 400,
    )
    held.push({ ...opened, uses })
  }
  return held
}

async function askForTooMuch({ story, client, token }: Scene): Promise<void> {
  story.chapter('Asking for more than policy gives')
  const refused: readonly OpenLeaseRequest[] = [
    {
      template: 'vault-kv-read',
      actions: ['secret.read'],
      parameters: { team: 'web', secret: 'app/session' },
    },
    {
      template: 'github-feature-branch',
      actions: ['repo.write'],
      parameters: { repository: 'acme/web' },
    },
  ]
  for (const request of refused) {
    const problem = await refusal(client.openLease(request, { token }))
    const asked = Object.values(request.parameters).join(' ')
    story.check(
      `${request.template} for ${asked} → ${problem?.code ?? 'GRANTED'}`,
      problem !== null,
    )
    if (problem?.explanation) explain(story, problem.explanation)
  }
}

async function refusal(asking: Promise<unknown>): Promise<Problem | null> {
  try {
    await asking
    return null
  } catch (error) {
    if (error instanceof ProblemError) return error.problem
    throw error
  }
}

function explain(story: Story, { message, rule, nearest }: Explanation): void {
  story.say(`“${message}”${rule === null ? '' : ` (rule ${rule})`}`)
  if (!nearest) return
  const parameters = pc.bold(JSON.stringify(nearest.parameters))
  story.say(`would pass: ${parameters} for ${String(nearest.ttlSeconds)} s`)
}

async function letOneRunOut({ story, client, token }: Scene, held: readonly Held[]): Promise<void> {
  story.chapter(
    `The GitHub lease runs out after ${String(SHORT_SECONDS)} s; GitHub itself would give the token an hour`,
  )
  const [github] = held
  if (!github) throw new Error('the GitHub lease is missing')
  const lease = await untilSettled(() => client.getLease(github.lease.id, { token }))
  story.check(
    `lease ${lease.state}: ${lease.revocationProof ?? lease.revocationNote ?? ''}`,
    lease.state === 'revoked',
  )
  await useAfterDeath(story, github)
}

async function closeAndProve(scene: Scene, held: readonly Held[]): Promise<readonly LeaseBody[]> {
  const { stack, story, client, token, taskId } = scene
  story.chapter('The task closes, and takes every lease with it')
  const operator = new CredentialText(await stack.tokens.person('auditor'))
  const { leaseIds } = await client.closeTask(taskId, { token })
  story.say(`${String(leaseIds.length)} leases were still alive; an auditor watches them die`)
  const leases = await Promise.all(
    held.map(({ lease }) => untilSettled(() => client.getLease(lease.id, { token: operator }))),
  )
  story.check(
    'every lease is revoked',
    leases.every(({ state }) => state === 'revoked'),
  )
  for (const one of held.slice(1)) await useAfterDeath(story, one)

  story.chapter('The timeline')
  story.say('')
  process.stdout.write(`${renderTimeline(leases)}\n`)
  const { github, aws, vault } = stack.standins
  const issued = github.issued().length + aws.issued().length + vault.issued().length
  const live = github.live().length + aws.live().length + vault.live().length
  story.check(
    `the providers were asked: ${String(issued)} credentials ever issued, ${String(live)} still live`,
    live === 0,
  )
  return leases
}

async function useAfterDeath(story: Story, { uses, credential }: Held): Promise<void> {
  const status = await uses.allowed.run(credential)
  story.check(`the same ${uses.allowed.what} → ${String(status)}`, status >= 400)
}

async function untilSettled(get: () => Promise<LeaseBody>): Promise<LeaseBody> {
  const deadline = Date.now() + SETTLE_DEADLINE_MS
  for (;;) {
    const lease = await get()
    if (['revoked', 'expired', 'failed'].includes(lease.state) || Date.now() > deadline)
      return lease
    await delay(100)
  }
}
