export interface BatchOptions<Item, Result> {
  /** Answers for each item, in order. */
  readonly write: (items: readonly Item[]) => Promise<readonly Result[]>
  /** In one batch at most. */
  readonly limit: number
  /** Whether a batch that failed so is tried again item by item, to find the one that spoils it. */
  readonly isolate?: (error: unknown) => boolean
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Writes an item at once when nothing is being written, else together with all that has come by the
 * time that is done: the busier it is, the fewer writes there are. Everybody hears what became of
 * their own item, and not before it is written.
 */
export function makeBatches<Item, Result>({
  write,
  limit,
  isolate = () => false,
}: BatchOptions<Item, Result>): (item: Item) => Promise<Result> {
  const waiting: Waiting<Item, Result>[] = []
  let writing = false

  async function settle(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await write(batch.map(({ item }) => item))
      if (results.length !== batch.length) throw new Error('a batch was not answered in full')
      results.forEach((result, index) => batch[index]?.resolve(result))
    } catch (error) {
      if (batch.length > 1 && isolate(error)) for (const one of batch) await settle([one])
      else for (const { reject } of batch) reject(error)
    }
  }

  async function drain(): Promise<void> {
    writing = true
    while (waiting.length > 0) await settle(waiting.splice(0, limit))
    writing = false
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (!writing) void drain()
    })
}
