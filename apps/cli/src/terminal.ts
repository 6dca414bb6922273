/** A stream to write to. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
}

/** A stream to read from. */
export interface Input extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean
}

/** What a command can see and touch of the process that it runs in. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: Input
  /** Hears each key as it is pressed; returns how to stop. There is none without a terminal. */
  readonly listen?: (heard: (key: string) => void) => () => void
  readonly stdout: Output
  readonly stderr: Output
  readonly fetch: typeof globalThis.fetch
}
