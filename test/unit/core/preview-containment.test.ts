import { expect, test } from '@jest/globals'
import { makePreviewContainment, type Lease, type LeaseGroup } from '@mayfly/core'

const group = (agent: string, provider: 'github' | 'aws', count: number): LeaseGroup => ({
  agent,
  provider,
  state: 'active',
  count,
})

test('R92 a preview that cannot list all says so, and counts all', async () => {
  const groups = [group('a', 'github', 12_000), group('b', 'github', 1), group('b', 'aws', 5_000)]
  const listed: Lease[] = []
  const preview = makePreviewContainment({
    preview: () => Promise.resolve({ groups, leases: listed }),
  })
  expect(await preview({ everything: true })).toMatchObject({
    total: 17_001,
    truncated: true,
    byAgent: { a: 12_000, b: 5_001 },
    byProvider: { github: 12_001, aws: 5_000 },
    byState: { active: 17_001 },
  })
})
