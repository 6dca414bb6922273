import type { Lease, LeaseIntent, NewContainment, Selector, Task } from '@mayfly/core'

import { activationOf, freshId, leaseIntent, openTask } from './lease-fixtures.ts'
import type { StoreWorld } from './store-world.ts'

export function newContainment(
  selector: Selector,
  more: Partial<NewContainment> = {},
): NewContainment {
  return {
    id: freshId('cnt'),
    freezeId: freshId('frz'),
    selector,
    reason: 'token seen in a build log',
    incident: freshId('INC'),
    by: 'people#responder',
    freezeUntil: null,
    idempotency: null,
    ...more,
  }
}

/** A live lease with these targets, delivered unless it is left pending. */
export async function openLease(
  { store }: StoreWorld,
  {
    task,
    pending = false,
    ...more
  }: Partial<LeaseIntent> & { task?: Task; pending?: boolean } = {},
): Promise<Lease> {
  const lease = await store.leases.open(leaseIntent(task ?? (await openTask(store.tasks)), more))
  return pending ? lease : store.leases.activate(activationOf(lease))
}

export async function begin(world: StoreWorld, selector: Selector): Promise<string> {
  const { id } = await world.store.containments.begin(newContainment(selector))
  await world.store.containments.collect(id)
  return id
}

export async function endAll({ store }: StoreWorld, id: string, batch = 500): Promise<number> {
  let ended = 0
  for (;;) {
    const count = await store.containments.endSome(id, batch)
    if (count === 0) return ended
    ended += count
  }
}
