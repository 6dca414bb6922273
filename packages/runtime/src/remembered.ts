/**
 * The same answer for everybody who asks within `milliseconds`, and one question at a time. A
 * failure is told to those who asked meanwhile, and forgotten.
 */
export function remembered<Answer>(
  milliseconds: number,
  ask: () => Promise<Answer>,
): () => Promise<Answer> {
  let asked: Promise<Answer> | null = null
  let freshUntil = 0
  return () => {
    if (asked !== null && performance.now() < freshUntil) return asked
    const asking = ask()
    asked = asking
    freshUntil = Infinity
    asking.then(
      () => {
        freshUntil = performance.now() + milliseconds
      },
      () => {
        asked = null
      },
    )
    return asking
  }
}
