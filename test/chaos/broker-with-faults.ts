import { loadConfig, startBroker } from '@mayfly/broker'
import '@mayfly/sandbox/end-with-parent'

import { faultyFreezes } from './faulty-incidents.ts'
import { withFaults } from './faulty-ports.ts'
import { makeGate } from './gate.ts'
import { sabotaged } from './sabotage.ts'
import { makeThrough } from './steps.ts'

const { CHAOS_PLAN: plan = '', CHAOS_SABOTAGE: sabotage } = process.env
const gate = makeGate('broker', plan)
const broker = await startBroker(loadConfig(process.env), {
  decorate: (ports) => ({
    ...withFaults(sabotaged(ports, sabotage), gate),
    freezes: faultyFreezes(ports.freezes, makeThrough(gate)),
  }),
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void broker.stop().then(() => process.exit()))
}
