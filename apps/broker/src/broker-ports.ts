import type { Providers } from '@mayfly/core'
import type { ConnectedRevocationQueue } from '@mayfly/queue'
import type { Store } from '@mayfly/store'

/** Through these a broker changes what is outside of it. */
export interface BrokerPorts {
  readonly leases: Store['leases']
  readonly tasks: Store['tasks']
  readonly queue: ConnectedRevocationQueue
  readonly providers: Providers
  readonly freezes: Store['freezes']
  readonly containments: Store['containments']
}
