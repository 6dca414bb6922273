import { startEmbeddedPostgres } from '@mayfly/sandbox'

/** Starts a server on the folder it is given, says where, and waits to be killed. */
const [dataDirectory = ''] = process.argv.slice(2)
const server = await startEmbeddedPostgres({ dataDirectory, fsync: false })
process.stdout.write(`${server.connectionString()}\n`)
process.stdin.resume()
