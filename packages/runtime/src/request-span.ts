import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  trace,
  type Attributes,
} from '@opentelemetry/api'

export interface RequestSpan {
  /** Everything that begins in `work` belongs to the request. */
  run(work: () => void): void
  /** Names it once its route is known. */
  end(name: string, attributes: Attributes): void
}

/**
 * The span of a request that came in, in the caller's own trace where it sent a W3C `traceparent`.
 * Baggage and trace state are not taken: callers write them.
 */
export function startRequestSpan(method: string, traceparent: string | undefined): RequestSpan {
  const parent =
    traceparent === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, { traceparent })
  const span = trace.getTracer('mayfly').startSpan(method, { kind: SpanKind.SERVER }, parent)
  return {
    run(work) {
      context.with(trace.setSpan(parent, span), work)
    },
    end(name, attributes) {
      span.updateName(name)
      span.setAttributes(attributes)
      span.end()
    },
  }
}
