import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'

import type { NetworkGuard } from '@mayfly/runtime'

/** All addresses of a host. */
export type ResolveHost = (
  hostname: string,
  answer: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[]) => void,
) => void

export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError'
}

export const resolveBySystem: ResolveHost = (hostname, answer) => {
  systemLookup(hostname, { all: true }, (error, addresses) => {
    answer(error, addresses)
  })
}

/**
 * What a socket asks for the addresses that it then connects to, so that what is checked is what is
 * used: a name cannot point elsewhere in between. One address that is refused refuses the host.
 */
export function guardedLookup(guard: NetworkGuard, resolve: ResolveHost): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname, (error, addresses) => {
      const [first] = addresses
      if (error || !first) {
        callback(error ?? new Error('the host has no address'), '')
        return
      }
      if (!addresses.every(({ address }) => guard.allows(address))) {
        callback(new AddressRefusedError('the host has an address that is not public'), '')
        return
      }
      if (all === true) callback(null, [...addresses])
      else callback(null, first.address, first.family)
    })
  }
}
