import { Readable } from 'node:stream'

import { runCli, type Terminal } from '@mayfly/cli'

export interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command line in this process, on streams in memory. */
export async function runInMemory(
  argv: readonly string[],
  env: Terminal['env'],
  more: { readonly isTTY?: boolean; readonly fetch?: typeof fetch; readonly stdin?: string } = {},
): Promise<Ran> {
  const written = { stdout: '', stderr: '' }
  const output = (name: keyof typeof written): Terminal['stdout'] => ({
    write: (text) => (written[name] += text),
    isTTY: more.isTTY ?? false,
  })
  const status = await runCli(argv, {
    env,
    stdin: Object.assign(Readable.from([Buffer.from(more.stdin ?? '')]), {
      isTTY: more.isTTY ?? false,
    }),
    stdout: output('stdout'),
    stderr: output('stderr'),
    fetch: more.fetch ?? fetch,
  })
  return { status, ...written }
}
