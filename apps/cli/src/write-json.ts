import type { Output } from './terminal.ts'

/** With `--json`, this is all that standard output ever gets. */
export function writeJson(output: Output, body: object): void {
  output.write(`${JSON.stringify(body, null, 2)}\n`)
}
