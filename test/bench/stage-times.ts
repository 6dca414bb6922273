export interface StageTime {
  readonly stage: string
  readonly meanMs: number
}

const LINE = /^mayfly_mint_stage_seconds_(sum|count)\{stage="(\w+)"\} (\S+)$/gm

/** Where issuing a lease spends its time, from the broker's own histogram; and the whole request. */
export async function stageTimes(brokerUrl: URL): Promise<readonly StageTime[]> {
  const response = await fetch(new URL('/metrics', brokerUrl))
  const text = await response.text()
  const sums = new Map<string, { sum: number; count: number }>()
  for (const [, what, stage = '', value] of text.matchAll(LINE)) {
    const entry = sums.get(stage) ?? { sum: 0, count: 0 }
    sums.set(stage, { ...entry, [what === 'sum' ? 'sum' : 'count']: Number(value) })
  }
  return [...sums].map(([stage, { sum, count }]) => ({ stage, meanMs: (sum / count) * 1000 }))
}
