import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface Series<Label extends string> {
  readonly name: string
  readonly help: string
  readonly labels: readonly Label[]
}

export interface DurationSeries<Label extends string> extends Series<Label> {
  /** Upper bounds in seconds. From a cached signature check to a provider being given up, unless told. */
  readonly buckets?: readonly number[]
}

export interface Level<Label extends string> {
  readonly labels: Readonly<Record<Label, string>>
  readonly value: number
}

export interface Metrics {
  /** Adds one. */
  counter<Label extends string>(
    series: Series<Label>,
  ): (labels: Readonly<Record<Label, string>>) => void
  /** Observes a duration, in seconds. */
  durations<Label extends string>(
    series: DurationSeries<Label>,
  ): (labels: Readonly<Record<Label, string>>, seconds: number) => void
  /** A level, asked for when the metrics are read: `NaN` when it cannot be told. */
  gauge(series: Omit<Series<never>, 'labels'>, read: () => Promise<number>): void
  /** Levels by label, asked for when the metrics are read: none when they cannot be told. */
  gauges<Label extends string>(
    series: Series<Label>,
    read: () => Promise<readonly Level<Label>[]>,
  ): void
  /** Memory, processor time and event loop of this process. */
  processLevels(): void
  /** The Prometheus text exposition of everything above. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>
}

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** A registry of its own per app, so that two of them can live in one process. */
export function makeMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  return {
    counter({ name, help, labels }) {
      const counter = new Counter({ name, help, labelNames: [...labels], registers })
      return (values) => {
        counter.inc({ ...values })
      }
    },
    durations({ name, help, labels, buckets = SECONDS }) {
      const labelNames = [...labels]
      const options = { name, help, labelNames, buckets: [...buckets], registers }
      const histogram = new Histogram(options)
      return (values, seconds) => {
        histogram.observe({ ...values }, seconds)
      }
    },
    gauge({ name, help }, read) {
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          this.set(await read().catch(() => NaN))
        },
      })
    },
    gauges({ name, help, labels }, read) {
      new Gauge({
        name,
        help,
        labelNames: [...labels],
        registers,
        async collect() {
          const levels = await read().catch(() => [])
          // What is gone since the last time must not go on being told.
          this.reset()
          for (const level of levels) this.set({ ...level.labels }, level.value)
        },
      })
    },
    processLevels() {
      collectDefaultMetrics({ register: registry })
    },
    async render() {
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}
