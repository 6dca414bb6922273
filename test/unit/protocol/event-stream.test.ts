import { expect, test } from '@jest/globals'
import { CredentialText, makeClient, ProblemError } from '@mayfly/protocol'

const at = '2026-11-23T12:00:00.000Z'
const counts = {
  ...{ queued: 0, propagating: 0, failed: 0, irrevocable: 0 },
  ...{ revoked: 0, expired: 0, never_minted: 0, spared: 0 },
}
const containment = {
  ...{ id: 'cnt_1', selector: { agent: 'ä' }, reason: 'r', incident: 'i', startedBy: 'p#r' },
  ...{ startedAt: at, freezeId: 'frz_1', frozen: true, total: 1, counts, finishedAt: null },
  ...{ lastDiesAt: null, cancelledAt: null, cancelledBy: null, cancelReason: null },
}

/** A broker that sends these bytes, in pieces of one. */
function clientOf(text: string, status = 200) {
  const bytes = new TextEncoder().encode(text)
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
      controller.close()
    },
  })
  const answer = new Response(body, { status, headers: { 'content-type': 'text/event-stream' } })
  return makeClient({
    baseUrl: new URL('https://broker.example'),
    fetch: () => Promise.resolve(answer),
  })
}

async function statesFrom(client: ReturnType<typeof clientOf>): Promise<string[]> {
  const states: string[] = []
  const call = { token: new CredentialText('t') }
  for await (const { state } of client.watchContainment('cnt_1', call)) states.push(state)
  return states
}

test('events come whole, whatever pieces they arrive in; heartbeats and a torn tail do not count', async () => {
  const event = (state: string): string =>
    `id: 1\nevent: progress\ndata: ${JSON.stringify({ ...containment, state })}\n\n`
  const text = `${event('ending')}: \n\n${event('finished')}id: 3\ndata: {"torn`
  expect(await statesFrom(clientOf(text))).toEqual(['ending', 'finished'])
})

test('a refusal is a problem, and an event that does not parse is an error', async () => {
  const problem = { type: 't', title: 't', status: 404, code: 'containment_unknown' }
  const refusal = JSON.stringify({ ...problem, requestId: 'req_1', retryable: false })
  await expect(statesFrom(clientOf(refusal, 404))).rejects.toBeInstanceOf(ProblemError)
  await expect(statesFrom(clientOf('data: {}\n\n'))).rejects.toMatchObject({
    name: 'UnexpectedAnswerError',
  })
})
