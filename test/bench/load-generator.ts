import { text } from 'node:stream/consumers'

import autocannon, { type Options } from 'autocannon'

/** Reads one load from standard input, puts it on a server, prints autocannon's result. */
const { errors, timeouts, non2xx, ...result } = await autocannon(
  JSON.parse(await text(process.stdin)) as Options, // written by run-load.ts
)
process.stdout.write(JSON.stringify({ ...result, failed: errors + timeouts + non2xx }))
