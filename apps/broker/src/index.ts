export { makeApp, type AppDeps } from './http/app.ts'
export { makeBrokerMetrics } from './metrics.ts'
