import { Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface Series<Label extends string> {
  readonly name: string
  readonly help: string
  readonly labels: readonly Label[]
}

export interface Metrics {
  /** Adds one. */
  counter<Label extends string>(
    series: Series<Label>,
  ): (labels: Readonly<Record<Label, string>>) => void
  /** Observes a duration, in seconds. */
  durations<Label extends string>(
    series: Series<Label>,
  ): (labels: Readonly<Record<Label, string>>, seconds: number) => void
  /** A level, asked for when the metrics are read: `NaN` when it cannot be told. */
  gauge(series: Omit<Series<never>, 'labels'>, read: () => Promise<number>): void
  /** The Prometheus text exposition of everything above. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>
}

/** From a cached signature check to a provider that is about to be given up. */
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
    durations({ name, help, labels }) {
      const labelNames = [...labels]
      const histogram = new Histogram({ name, help, labelNames, buckets: SECONDS, registers })
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
    async render() {
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}
