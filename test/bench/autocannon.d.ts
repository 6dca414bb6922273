/** What the benchmark uses of autocannon, which brings no types. */
declare module 'autocannon' {
  export interface Options {
    readonly url: string
    readonly method: 'POST'
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
    readonly connections: number
    /** Seconds. */
    readonly duration?: number
    /** Requests in all, in place of a duration. */
    readonly amount?: number
  }

  export interface Result {
    readonly errors: number
    readonly timeouts: number
    readonly non2xx: number
    readonly '2xx': number
    /** Seconds. */
    readonly duration: number
    readonly requests: { readonly total: number }
    /** Milliseconds. */
    readonly latency: { readonly p50: number; readonly p99: number; readonly max: number }
  }

  export default function autocannon(options: Options): Promise<Result>
}
