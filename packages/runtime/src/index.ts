export { systemClock } from './clock.ts'
export { ConfigurationError, parseEnv, type Environment } from './environment.ts'
export { makeIds } from './ids.ts'
export { makeLogger, makeReport, type Logger, type LoggerOptions } from './logger.ts'
export { makeMetrics, type Level, type Metrics } from './metrics.ts'
export { makeNetworkGuard, type Network, type NetworkGuard } from './network-guard.ts'
export { makeMeteredProviders } from './provider-metrics.ts'
export { inSpan, inSpanSync, leaseSpanContext, markLease } from './spans.ts'
export { startTracing } from './tracing.ts'
export { remembered } from './remembered.ts'
export { startRequestSpan } from './request-span.ts'
export { makeMeteredClaims } from './revocation-metrics.ts'
export { makeShutdown, type Shutdown, type ShutdownOptions } from './shutdown.ts'
export {
  countVariable,
  databaseUrlVariable,
  flagVariable,
  logLevelVariable,
  networksVariable,
  portVariable,
  redisUrlVariable,
  sealingKeysVariable,
  type SealingKeyText,
} from './variables.ts'
