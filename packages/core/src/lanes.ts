/** Work in hand, a bounded number of pieces at once for each key, so that a slow one slows itself. */
export interface Lanes {
  /** Begins the work, or keeps it until its lane has room. It must not throw. */
  add(key: string, work: () => Promise<void>): void
  /** Keys with as much in hand as they may run at once, or more. */
  full(): readonly string[]
  inHand(): number
  /** Resolves when one of the full lanes has room again, at once when there is none. */
  room(): Promise<void>
  /** Resolves when nothing is in hand. */
  drained(): Promise<void>
}

interface Lane {
  running: number
  readonly waiting: (() => Promise<void>)[]
}

export function makeLanes(width: number): Lanes {
  const lanes = new Map<string, Lane>()
  let moved = makeGate()

  function next(key: string, lane: Lane): void {
    const work = lane.running < width ? lane.waiting.shift() : undefined
    if (!work) {
      if (lane.running === 0) lanes.delete(key)
      return
    }
    lane.running += 1
    void work().finally(() => {
      lane.running -= 1
      next(key, lane)
      const { open } = moved
      moved = makeGate()
      open()
    })
  }

  const size = ({ running, waiting }: Lane): number => running + waiting.length
  const inHand = (): number => [...lanes.values()].reduce((sum, lane) => sum + size(lane), 0)
  const full = (): readonly string[] =>
    [...lanes].filter(([, lane]) => size(lane) >= width).map(([key]) => key)

  return {
    add(key, work) {
      const lane = lanes.get(key) ?? { running: 0, waiting: [] }
      lanes.set(key, lane)
      lane.waiting.push(work)
      next(key, lane)
    },
    full,
    inHand,
    async room() {
      const before = full().length
      while (before > 0 && full().length >= before) await moved.opened
    },
    async drained() {
      while (inHand() > 0) await moved.opened
    },
  }
}

function makeGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
