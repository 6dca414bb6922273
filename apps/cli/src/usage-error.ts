/** The command line, the environment or a file named by them is not usable. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
