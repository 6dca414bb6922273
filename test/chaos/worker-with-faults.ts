import { loadConfig, startWorker } from '@mayfly/worker'
import '@mayfly/sandbox/end-with-parent'

import { withFaults } from './faulty-ports.ts'
import { faultyWebhooks } from './faulty-webhooks.ts'
import { makeGate } from './gate.ts'
import { sabotaged } from './sabotage.ts'
import { withScaledPauses } from './scaled-pauses.ts'
import { makeThrough } from './steps.ts'

const { CHAOS_PLAN: plan = '', CHAOS_SABOTAGE: sabotage } = process.env
const gate = makeGate('worker', plan)
const pauses = { factor: Number(process.env['CHAOS_TIME_FACTOR'] ?? 1), planFile: plan }
const worker = await startWorker(loadConfig(process.env), {
  decorate: (ports) => ({
    ...withScaledPauses(withFaults(sabotaged(ports, sabotage), gate), pauses),
    ...faultyWebhooks(ports, makeThrough(gate)),
  }),
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void worker.stop().then(() => process.exit()))
}
