/** A stream to write to. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
}

/** What a command can see and touch of the process that it runs in. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: AsyncIterable<Uint8Array>
  readonly stdout: Output
  readonly stderr: Output
  readonly fetch: typeof globalThis.fetch
}
