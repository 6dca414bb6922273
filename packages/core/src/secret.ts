import { inspect } from 'node:util'

/**
 * A string that refuses to be printed. `JSON.stringify`, template literals, `console.log` and
 * pino all see `[redacted]`; only {@link Secret.reveal} does not.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** Call at the last possible moment: the HTTP response, or the provider request. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect.custom](): string {
    return '[redacted]'
  }
}
