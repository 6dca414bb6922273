import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'

import type { Containment } from '@mayfly/core'
import type { Response } from 'express'

import { containmentBody } from './containment-body.ts'

export interface ContainmentStream {
  readonly find: () => Promise<Containment | null>
  readonly closing: AbortSignal
}

const LOOK_EVERY_MS = 400
/** Counting many leases takes a while, which is then not taken from the workers that kill them. */
const PAUSE_PER_LOOK = 9
/** Proxies end what is silent for half a minute or a minute. */
const HEARTBEAT_EVERY_MS = 15_000
/** Then the client comes back, with a token that is checked again. */
const LONGEST_MS = 600_000

/** States in which there is nothing left that anybody could do. */
const SETTLED: ReadonlySet<Containment['state']> = new Set(['waiting', 'finished', 'cancelled'])

/**
 * Server-sent events: where the containment stands, whenever that has changed. Each event has all of
 * it, so `Last-Event-ID` has nothing to say, and a stream that broke off is begun anew.
 */
export async function streamContainment(res: Response, stream: ContainmentStream): Promise<void> {
  res.status(200).set({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store, no-transform',
    // For nginx, which otherwise keeps events until it has enough of them.
    'x-accel-buffering': 'no',
  })
  res.flushHeaders()
  const gone = new AbortController()
  const end = (): void => {
    gone.abort()
  }
  res.once('close', end)
  stream.closing.addEventListener('abort', end, { once: true })
  if (stream.closing.aborted) end()
  try {
    await follow(res, stream, gone.signal)
  } finally {
    stream.closing.removeEventListener('abort', end)
    res.end()
  }
}

async function follow(
  res: Response,
  { find }: ContainmentStream,
  gone: AbortSignal,
): Promise<void> {
  const startedAt = performance.now()
  let told = ''
  let toldAt = startedAt
  for (let id = 1; !gone.aborted && performance.now() - startedAt < LONGEST_MS; id += 1) {
    const lookedAt = performance.now()
    const containment = await find()
    if (!containment) return
    const tookMs = performance.now() - lookedAt
    const data = JSON.stringify(containmentBody(containment))
    const isNews = data !== told
    if (isNews || performance.now() - toldAt > HEARTBEAT_EVERY_MS) {
      await send(
        res,
        isNews ? `id: ${String(id)}\nevent: progress\ndata: ${data}\n\n` : ': \n\n',
        gone,
      )
      told = data
      toldAt = performance.now()
    }
    if (SETTLED.has(containment.state)) return
    await pause(Math.max(LOOK_EVERY_MS, tookMs * PAUSE_PER_LOOK), undefined, {
      signal: gone,
    }).catch(() => undefined)
  }
}

/** A reader that is slow is waited for, so that nothing piles up here. */
async function send(res: Response, text: string, gone: AbortSignal): Promise<void> {
  if (gone.aborted || res.write(text)) return
  await once(res, 'drain', { signal: gone }).catch(() => undefined)
}
