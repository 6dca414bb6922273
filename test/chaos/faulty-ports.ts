import { createHash } from 'node:crypto'

import type { BrokerPorts } from '@mayfly/broker'
import type { CredentialProvider } from '@mayfly/core'

import { faultyContainments } from './faulty-incidents.ts'
import type { Gate } from './gate.ts'
import { makeThrough, type Through } from './steps.ts'

/** What broker and worker have in common. */
export type Ports = Pick<BrokerPorts, 'leases' | 'tasks' | 'queue' | 'providers' | 'containments'>

/** The ports with a gate before and after each step. */
export function withFaults(ports: Ports, gate: Gate): Ports {
  const { leases, tasks, queue, providers, containments } = ports
  const through = makeThrough(gate)
  return {
    leases: {
      ...leases,
      open: (intent) => through('leases.open', intent.leaseId, () => leases.open(intent)),
      activate: (activation) =>
        through('leases.activate', activation.lease.id, () => leases.activate(activation)),
      fail: (id, code) => through('leases.fail', id, () => leases.fail(id, code)),
      surrender: (activation, reason) =>
        through('leases.surrender', activation.lease.id, () =>
          leases.surrender(activation, reason),
        ),
      end: (id, reason) => through('leases.end', id, () => leases.end(id, reason)),
      delivered: (id) => {
        // Nobody waits for a confirmation, so nobody hears of a failure either.
        through('leases.delivered', id, () => {
          leases.delivered(id)
          return Promise.resolve()
        }).catch(() => undefined)
      },
      claim: (id, seconds) => through('leases.claim', id, () => leases.claim(id, seconds)),
      claimMany: async (claim) => {
        // The sweeper asks all the time: it comes to the step only with something to claim.
        const due = await leases.due(claim.limit)
        await Promise.all(due.map((id) => gate.at('leases.claim:before', id)))
        const taken = await leases.claimMany(claim)
        await Promise.all(taken.claimed.map(({ lease }) => gate.at('leases.claim:after', lease.id)))
        return taken
      },
      settle: (claimed, settlement) =>
        through('leases.settle', claimed.lease.id, () => leases.settle(claimed, settlement)),
    },
    tasks: {
      ...tasks,
      close: (id, reason) => through('tasks.close', id, () => tasks.close(id, reason)),
    },
    queue: {
      ...queue,
      schedule: (id, at) => through('queue.schedule', id, () => queue.schedule(id, at)),
    },
    providers: {
      get: async (connection, version) =>
        faultyProvider(await providers.get(connection, version), through),
    },
    containments: faultyContainments(containments, through),
  }
}

function faultyProvider(provider: CredentialProvider, through: Through): CredentialProvider {
  return {
    ...provider,
    prepare(scope) {
      const prepared = provider.prepare(scope)
      return {
        ...prepared,
        mint: (request, signal) =>
          through('provider.mint', request.leaseId, () => prepared.mint(request, signal)),
      }
    },
    revoke: (handle, ...more) =>
      through('provider.revoke', digest(handle.reveal()), () => provider.revoke(handle, ...more)),
    verifyDead: (handle, sent, signal) =>
      through('provider.verifyDead', sent.leaseId, () => provider.verifyDead(handle, sent, signal)),
  }
}

/** A handle can be the credential itself, and the key is written to a file. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
