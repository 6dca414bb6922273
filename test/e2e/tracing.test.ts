import { leaseSpanContext } from '@mayfly/runtime'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

import {
  startOtlpReceiver,
  type OtlpReceiver,
  type ReceivedSpan,
} from '../support/otlp-receiver.ts'
import { until } from '../support/until.ts'
import { openWorld, type World } from './world.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

const ERRAND = {
  template: 'github-feature-branch',
  actions: ['repo.write'],
  parameters: { repository: 'acme/payments' },
  ttlSeconds: 2,
}

describe('traces, from a caller over broker and queue to the worker', () => {
  let receiver: OtlpReceiver
  let world: World
  let leaseId: string
  let secrets: string[]

  const of = (service: string, traceId: string): readonly ReceivedSpan[] =>
    receiver.spans().filter((span) => span.service === service && span.traceId === traceId)
  const names = (spans: readonly ReceivedSpan[]): readonly string[] => spans.map(({ name }) => name)

  beforeAll(async () => {
    receiver = await startOtlpReceiver()
    world = await openWorld({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url } })
    const task = await world.openTask()
    const headers = { traceparent: `00-${TRACE}-${PARENT}-01` }
    const answer = await world.ask(task, ERRAND, headers)
    expect(answer.status).toBe(201)
    const { lease, credential } = answer.json as unknown as {
      lease: { id: string }
      credential: Record<string, string>
    } // the contract of 201
    leaseId = lease.id
    secrets = [...Object.values(credential), task.token]
    await world.settled(leaseId)
    const { traceId } = leaseSpanContext(leaseId)
    await until(() => names(of('mayfly-worker', traceId)).includes('lease.settle'), 30_000)
    await until(() => names(of('mayfly-broker', TRACE)).includes('POST /v1/leases'), 30_000)
  }, 120_000)

  afterAll(async () => {
    await world.stop()
    await receiver.stop()
  })

  test('the request and its stages are in the caller’s trace', () => {
    const spans = of('mayfly-broker', TRACE)
    const request = spans.find(({ name }) => name === 'POST /v1/leases')
    expect(request?.parentSpanId).toBe(PARENT)
    const stages = spans.filter(({ parentSpanId }) => parentSpanId === request?.spanId)
    expect([...names(stages)].sort()).toEqual([
      'lease.activate',
      'lease.decide',
      'lease.provider',
      'lease.store',
    ])
    expect(names(spans)).toContain('provider.mint')
  })

  test('the end of the lease is in a trace that follows from its id and refers to the request', () => {
    const { traceId } = leaseSpanContext(leaseId)
    const [opened] = of('mayfly-broker', traceId)
    expect(opened?.name).toBe('lease.opened')
    expect(opened?.links.map((link) => link.traceId)).toEqual([TRACE])
    const ended = names(of('mayfly-worker', traceId))
    expect(ended).toEqual(
      expect.arrayContaining([
        'lease.revoke',
        'provider.revoke',
        'provider.verify',
        'lease.settle',
      ]),
    )
  })

  test('G6 R118 no credential, token or parameter is in any of it', () => {
    const all = receiver.bodies().join('\n')
    expect(all).toContain(leaseId)
    for (const secret of secrets) expect(all).not.toContain(secret)
    expect(all).not.toMatch(/eyJ[\w-]+\.|ghs_|BEGIN [A-Z ]*PRIVATE|postgres(?:ql)?:\/\//)
    expect(all).not.toContain('acme/payments')
  })
})
