import { createHash } from 'node:crypto'

import {
  context,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
} from '@opentelemetry/api'
import { MayflyError } from '@mayfly/core'

export interface SpanOptions {
  readonly name: string
  /** Ids, names and numbers. Never what a caller or a provider has written. */
  readonly attributes?: Attributes
  /** Of a lease: the trace of its end refers to this span, and this span to it. */
  readonly linkedLease?: string
  /** The span begins a part of this lease's own trace. */
  readonly inLease?: string
}

/** Runs `work` in a span. Without an SDK (see `startTracing`) this costs next to nothing. */
export async function inSpan<Result>(
  options: SpanOptions,
  work: (span: Span) => Promise<Result>,
): Promise<Result> {
  const parent = options.inLease === undefined ? context.active() : leaseContext(options.inLease)
  const span = start(options, parent)
  try {
    return await context.with(trace.setSpan(parent, span), () => work(span))
  } catch (error) {
    fail(span, error)
    throw error
  } finally {
    span.end()
  }
}

/** {@link inSpan} for what does not wait. */
export function inSpanSync<Result>(options: SpanOptions, work: (span: Span) => Result): Result {
  const span = start(options, context.active())
  try {
    return work(span)
  } catch (error) {
    fail(span, error)
    throw error
  } finally {
    span.end()
  }
}

function start({ name, attributes, linkedLease }: SpanOptions, parent: Context): Span {
  const links = linkedLease === undefined ? [] : [{ context: leaseSpanContext(linkedLease) }]
  return trace
    .getTracer('mayfly')
    .startSpan(name, { ...(attributes && { attributes }), links }, parent)
}

/** Leaves a mark in the lease's own trace that refers to the span that is active here. */
export function markLease(leaseId: string, name: string): void {
  const here = trace.getSpanContext(context.active())
  const links = here ? [{ context: here }] : []
  const attributes = { 'mayfly.lease.id': leaseId }
  trace.getTracer('mayfly').startSpan(name, { links, attributes }, leaseContext(leaseId)).end()
}

/** The code alone: messages of errors can hold what a provider has answered. */
function fail(span: Span, error: unknown): void {
  const code = error instanceof MayflyError ? error.code : 'internal'
  span.setStatus({ code: SpanStatusCode.ERROR, message: code })
  span.setAttribute('error.type', code)
}

function leaseContext(leaseId: string): Context {
  return trace.setSpanContext(ROOT_CONTEXT, leaseSpanContext(leaseId))
}

/**
 * The trace in which a lease ends, which follows from its id: a job of the queue holds the id and
 * nothing else, and whoever has the id finds the trace.
 */
export function leaseSpanContext(leaseId: string): SpanContext {
  const digest = createHash('sha256').update(`mayfly lease ${leaseId}`).digest('hex')
  return {
    traceId: digest.slice(0, 32),
    spanId: digest.slice(32, 48),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  }
}
