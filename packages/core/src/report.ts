/** Tells the operator of something that went wrong and was recovered from. Never shown to callers. */
export type Report = (
  message: string,
  error: unknown,
  context?: Readonly<Record<string, string | number>>,
) => void
