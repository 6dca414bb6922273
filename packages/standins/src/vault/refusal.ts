/** An answer in Vault's error form: `{ "errors": [...] }`. */
export class VaultRefusal extends Error {
  override readonly name = 'VaultRefusal'
  readonly status: number
  readonly errors: readonly string[]

  constructor(status: number, ...errors: readonly string[]) {
    super(errors.join(', '))
    this.status = status
    this.errors = errors
  }
}

/** Errors that pass through the router arrive in this wrapping. */
export function wrapped(text: string): string {
  return `1 error occurred:\n\t* ${text}\n\n`
}

export function permissionDenied(): VaultRefusal {
  return new VaultRefusal(403, wrapped('permission denied'))
}
