/**
 * Secret text on the client's side: it does not print, log or serialise. Only
 * {@link CredentialText.reveal} gives it away, at the last moment.
 */
export class CredentialText {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  /** Node's `util.inspect` looks for this symbol; spelled out so that browsers need no `node:util`. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]'
  }
}
