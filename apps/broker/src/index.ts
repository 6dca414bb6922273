export { startBroker, type Broker, type BrokerPorts } from './broker.ts'
export { loadConfig, type BrokerConfig } from './config.ts'
export { makeApp, type AppDeps } from './http/app.ts'
export { makeBrokerMetrics } from './metrics.ts'
