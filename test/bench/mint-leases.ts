import { LEASE_REQUEST, type BenchWorld } from './bench-world.ts'

export interface MintLeases {
  readonly count: number
  readonly concurrency: number
  /** Of the lease with the index, asked just before it is minted. */
  readonly ttlSeconds: (index: number) => number
}

/** Mints through the API, as fast as the broker answers. Anything but success throws. */
export async function mintLeases(world: BenchWorld, options: MintLeases): Promise<void> {
  const token = await world.openTask()
  let next = 0
  const lane = async (): Promise<void> => {
    for (let index = next++; index < options.count; index = next++) {
      const response = await fetch(new URL('/v1/leases', world.brokerUrl), {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ ...LEASE_REQUEST, ttlSeconds: options.ttlSeconds(index) }),
      })
      const answer = await response.text()
      if (response.status !== 201) throw new Error(`mint ${String(index)}: ${answer}`)
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, lane))
}
