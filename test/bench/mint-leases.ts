import { LEASE_REQUEST, type BenchWorld, type LeaseRequest } from './bench-world.ts'

export interface MintLeases {
  readonly count: number
  readonly concurrency: number
  /** Of the lease with the index, asked just before it is minted. */
  readonly ttlSeconds: (index: number) => number
  /** What is asked for, in turn. */
  readonly requests?: readonly LeaseRequest[]
}

/** Mints through the API, as fast as the broker answers. Anything but success throws. */
export async function mintLeases(world: BenchWorld, options: MintLeases): Promise<void> {
  const { requests = [LEASE_REQUEST] } = options
  const token = await world.openTask([...new Set(requests)])
  let next = 0
  const lane = async (): Promise<void> => {
    for (let index = next++; index < options.count; index = next++) {
      const asked = requests[index % requests.length]
      const response = await fetch(new URL('/v1/leases', world.brokerUrl), {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ ...asked, ttlSeconds: options.ttlSeconds(index) }),
      })
      const answer = await response.text()
      if (response.status !== 201) throw new Error(`mint ${String(index)}: ${answer}`)
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, lane))
}
