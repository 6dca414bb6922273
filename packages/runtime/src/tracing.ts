import { context, propagation, trace } from '@opentelemetry/api'

import type { Environment } from './environment.ts'

export interface TracingOptions {
  /** `service.name`. */
  readonly name: string
  readonly env: Environment
}

/**
 * Sends spans by OTLP over HTTP when `OTEL_EXPORTER_OTLP_ENDPOINT` (or its `_TRACES_` form) says
 * where to, and loads nothing otherwise. Returns how to stop, which sends what is left.
 */
export async function startTracing({ name, env }: TracingOptions): Promise<() => Promise<void>> {
  const endpoints = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']
  if (!endpoints.some((variable) => env[variable])) return () => Promise.resolve()
  const [sdk, { OTLPTraceExporter }, { AsyncLocalStorageContextManager }, resources, core] =
    await Promise.all([
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/context-async-hooks'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/core'),
    ])
  const provider = new sdk.TracerProvider({
    // Not what OTEL_RESOURCE_ATTRIBUTES or the host would add: those are the collector's to know.
    resource: resources.resourceFromAttributes({ 'service.name': name }),
    // The exporter reads endpoint, headers and timeout from the standard variables.
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  })
  trace.setGlobalTracerProvider(provider)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new core.W3CTraceContextPropagator())
  return async () => {
    await provider.shutdown()
    trace.disable()
    context.disable()
    propagation.disable()
  }
}
