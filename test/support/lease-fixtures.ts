import { randomBytes } from 'node:crypto'

import {
  Secret,
  type Activation,
  type Lease,
  type LeaseIntent,
  type NewTask,
  type Task,
  type TaskStore,
  type VerifiedToken,
} from '@mayfly/core'
import type { SealingKey } from '@mayfly/store'

/** Unique, and in the order of making, as ULIDs are. */
let made = 0
export function freshId(prefix: string): string {
  made += 1
  return `${prefix}_${String(made).padStart(6, '0')}${randomBytes(6).toString('hex')}`
}

export function sealingKey(id = 'k1'): SealingKey {
  return { id, key: new Secret(randomBytes(32).toString('base64')) }
}

export function workloadToken(more: Partial<VerifiedToken> = {}): VerifiedToken {
  return {
    issuer: 'github-actions',
    subject: 'repo:acme/web',
    claims: { repository: 'acme/web' },
    tokenId: freshId('jti'),
    issuedAt: null,
    expiresAt: new Date(Date.now() + 600_000),
    ...more,
  }
}

export function newTask(more: Partial<NewTask> = {}): NewTask {
  return {
    id: freshId('tsk'),
    token: workloadToken(),
    agent: 'web-coder',
    owner: 'alice@acme.example',
    environment: 'development',
    intent: { reason: 'fix the build' },
    declarations: [{ template: 'repo', actions: ['repo.read'], parameters: {} }],
    lifetimeSeconds: 3600,
    idempotency: null,
    ...more,
  }
}

export function openTask(tasks: TaskStore, more: Partial<NewTask> = {}): Promise<Task> {
  return tasks.open(newTask(more))
}

export function leaseIntent(task: Task, more: Partial<LeaseIntent> = {}): LeaseIntent {
  return {
    leaseId: freshId('lea'),
    task,
    decision: {
      id: freshId('dec'),
      taskId: task.id,
      template: 'repo',
      templateVersion: 1,
      policySetVersion: 1,
      policyDigest: 'd'.repeat(64),
      actions: ['repo.read'],
      parameters: { repository: 'acme/web', depth: 3, force: false },
      allowed: true,
      policies: ['own-repo'],
      ttlSeconds: 600,
      scope: { repositoryIds: [42], permissions: { contents: 'read' } },
    },
    provider: 'github',
    connection: 'github-acme',
    targets: ['github:repo:acme/web', 'github:org:acme'],
    requestedTtlSeconds: 900,
    lifetimeSeconds: 3600,
    mintDeadlineSeconds: 30,
    handle: null,
    limits: {},
    idempotency: null,
    ...more,
  }
}

export function activationOf(lease: Lease, more: Partial<Activation> = {}): Activation {
  return {
    lease,
    credentialExpiresAt: new Date(Date.now() + 3_600_000),
    handle: new Secret(`ghs_${lease.id}`),
    fingerprints: [`sha256 of ${lease.id}`],
    deliveryDeadlineSeconds: 30,
    ...more,
  }
}
