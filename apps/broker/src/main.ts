import { ConfigurationError, makeLogger } from '@mayfly/runtime'

import { startBroker } from './broker.ts'
import { loadConfig } from './config.ts'
import { spareWasmCalls } from './spare-wasm-calls.ts'

spareWasmCalls()
try {
  const broker = await startBroker(loadConfig(process.env))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => void broker.stop())
  }
} catch (error) {
  // A wrong configuration is answered in plain words; everything else through the redacting log.
  if (error instanceof ConfigurationError) process.stderr.write(`${error.message}\n`)
  else makeLogger({ name: 'broker', level: 'info' }).fatal({ err: error }, 'broker did not start')
  process.exitCode = 1
}
