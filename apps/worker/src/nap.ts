/** A pause that can be cut short. */
export interface Nap {
  /** Resolves after so long, or when woken; at once when it was woken since the last one. */
  sleep(ms: number): Promise<void>
  wake(): void
}

export function makeNap(): Nap {
  let woken = false
  let end: (() => void) | null = null
  return {
    sleep: (ms) =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer)
          end = null
          woken = false
          resolve()
        }
        const timer = setTimeout(done, ms)
        end = done
        if (woken) done()
      }),
    wake() {
      woken = true
      end?.()
    },
  }
}
