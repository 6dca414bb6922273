import type { CredentialProvider, Prepared } from '@mayfly/core'

import type { Ports } from './faulty-ports.ts'

/** Ways to break the product on purpose, so that the matrix can be seen to fail. */
export const SABOTAGES = [
  /** Calls a credential revoked that was never touched. */
  'settle-without-revoking',
  /** Mints twice and forgets one of the two. */
  'mint-behind-the-books',
  /** Never revokes anything. */
  'claim-nothing',
] as const

export type Sabotage = (typeof SABOTAGES)[number]

export function sabotaged(ports: Ports, sabotage = 'none'): Ports {
  switch (sabotage) {
    case 'settle-without-revoking':
      return withProviders(ports, (provider) => ({
        ...provider,
        revoke: () => Promise.resolve(),
        verifyDead: () => Promise.resolve({ dead: true, proof: 'none' }),
      }))
    case 'mint-behind-the-books':
      return withProviders(ports, (provider) => ({
        ...provider,
        prepare: (scope) => mintingTwice(provider.prepare(scope)),
      }))
    case 'claim-nothing':
      return {
        ...ports,
        leases: {
          ...ports.leases,
          claim: () => Promise.resolve({ outcome: 'nothing_to_do' }),
          claimMany: () => Promise.resolve({ claimed: [], expired: 0 }),
        },
      }
    default:
      return ports
  }
}

function withProviders(
  ports: Ports,
  change: (provider: CredentialProvider) => CredentialProvider,
): Ports {
  const { providers } = ports
  return {
    ...ports,
    providers: {
      get: async (connection, version) => change(await providers.get(connection, version)),
    },
  }
}

function mintingTwice(prepared: Prepared): Prepared {
  return {
    ...prepared,
    async mint(request, signal) {
      await prepared.mint({ ...request, leaseId: `${request.leaseId}x` }, signal)
      return prepared.mint(request, signal)
    },
  }
}
