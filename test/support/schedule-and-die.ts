import { makeRevocationQueue } from '@mayfly/queue'

/** A broker that is killed the moment its alarm is set: run as a process of its own. */
const [location, leaseId, at] = process.argv.slice(2)
if (location === undefined || leaseId === undefined || at === undefined) {
  throw new TypeError('usage: schedule-and-die.ts <location as JSON> <lease id> <instant>')
}
// The test wrote it, so it has the shape that the test gives it.
const queue = makeRevocationQueue(JSON.parse(location) as { databaseUrl: string })
await queue.waitUntilReady()
await queue.schedule(leaseId, new Date(at))
process.kill(process.pid, 'SIGKILL')
