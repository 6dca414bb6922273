import { makeBrokerMetrics } from '@mayfly/broker'
import { makeWorkerMetrics } from '@mayfly/worker'

/** What the broker and the worker export, with the suffixes that a histogram adds. */
export async function exportedMetrics(): Promise<ReadonlySet<string>> {
  const nothing = { leases: [], openTasks: 0, freezes: 0, policySetVersion: 0 }
  const broker = makeBrokerMetrics()
  broker.followPolicySet(() => 1)
  const worker = makeWorkerMetrics({
    levels: () => Promise.resolve(nothing),
    alarms: () => Promise.resolve({ delayed: 0, waiting: 0, active: 0 }),
    secondsSincePass: () => 0,
    failingWebhooks: () => Promise.resolve(0),
  })
  const texts = [await broker.render(), await worker.render()].map(({ text }) => text)
  const typed = [...texts.join('\n').matchAll(/^# TYPE (\w+) (\w+)$/gm)]
  return new Set(
    typed.flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
    ),
  )
}

/** Names of metrics of ours, or of the process, that a text mentions. */
export function metricsIn(text: string): readonly string[] {
  return [...new Set(text.match(/\b(?:mayfly|nodejs|process)_[a-z][a-z0-9_]*\b/g) ?? [])]
}
