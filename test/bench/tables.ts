import { judged, table } from './draw-table.ts'
import type { HostFacts } from './host-facts.ts'
import type { LagFigures } from './lag-bench.ts'
import type { MemoryFigures } from './memory-bench.ts'
import type { MintFigures, Side } from './mint-bench.ts'

export function hostTable(facts: HostFacts): string {
  return table(
    ['host', ''],
    [
      ['cores', `${String(facts.cores)} × ${facts.cpu}`],
      ['memory', `${String(facts.memoryGib)} GiB`],
      ['load before', facts.loadBefore.toFixed(1)],
      ['Node', facts.node],
      ['PostgreSQL', `${facts.postgres}, fsync on`],
      ['Redis', facts.redis ?? 'not on PATH'],
    ],
  )
}

export function mintTable(figures: MintFigures): string {
  const row = (name: string, side: Side): string[] => [
    name,
    side.requestsPerSecond.toFixed(0),
    `${side.p50Ms.toFixed(0)} ms`,
    `${side.p99Ms.toFixed(0)} ms`,
    `${side.serverCpuMs.toFixed(2)} ms`,
    `${side.postgresCpuMs.toFixed(2)} ms`,
  ]
  const { ratio, target, queue, connections, stages } = figures
  const measured = table(
    [
      `${String(connections)} connections`,
      'requests/s',
      'p50',
      'p99',
      'CPU, server',
      'CPU, PostgreSQL',
    ],
    [row('baseline', figures.baseline), row(`broker, queue on ${queue}`, figures.broker)],
  )
  const where = table(
    ['stage of a mint', 'mean'],
    stages.map(({ stage, meanMs }) => [stage, `${meanMs.toFixed(1)} ms`]),
  )
  return `${measured}\nratio ${judged(ratio <= target, `${ratio.toFixed(2)} (at most ${target.toFixed(2)})`)}\n${where}`
}

export function lagTable(figures: readonly LagFigures[]): string {
  return table(
    ['queue', 'workers', 'leases', 'ending over', 'lag p50', 'p99', 'max', 'retries'],
    figures.map((lag) => [
      lag.queue,
      lag.workers,
      String(lag.leases),
      `${lag.endsOverSeconds.toFixed(0)} s`,
      `${lag.p50Ms.toFixed(0)} ms`,
      judged(
        lag.p99Ms < lag.targetP99Ms,
        `${lag.p99Ms.toFixed(0)} ms (under ${String(lag.targetP99Ms)})`,
      ),
      `${lag.maxMs.toFixed(0)} ms`,
      String(lag.retries),
    ]),
  )
}

export function memoryTable({ samples, targetMib }: MemoryFigures): string {
  return table(
    ['mints', `broker resident (under ${String(targetMib)} MiB)`],
    samples.map(({ mints, residentMib }) => [
      String(mints),
      judged(residentMib < targetMib, `${residentMib.toFixed(0)} MiB`),
    ]),
  )
}
