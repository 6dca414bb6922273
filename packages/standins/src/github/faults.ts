import { setTimeout as wait } from 'node:timers/promises'

import type { Request, RequestHandler, Response } from 'express'
import { z } from 'zod'

import { refuse } from './replies.ts'

const faultSchema = z.discriminatedUnion('kind', [
  /** Answers with this status and does nothing. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(300).max(599),
    message: z.string().optional(),
    location: z.string().optional(),
    retryAfterSeconds: z.int().min(0).optional(),
    /** Adds the headers of an exhausted primary rate limit, which ends this many seconds from now. */
    rateLimitResetSeconds: z.int().optional(),
  }),
  z.strictObject({ kind: z.literal('hang') }),
  z.strictObject({ kind: z.literal('slow'), milliseconds: z.int().positive() }),
  /** Drops the connection and does nothing. */
  z.strictObject({ kind: z.literal('dropped') }),
  /** Does what was asked, then drops the connection. */
  z.strictObject({ kind: z.literal('lost') }),
  /** Does what was asked, then answers with HTML. */
  z.strictObject({ kind: z.literal('garbage') }),
  /** Does what was asked, then answers with nothing. */
  z.strictObject({ kind: z.literal('empty') }),
  /** Does what was asked, then cuts the JSON answer off after so many characters. */
  z.strictObject({ kind: z.literal('truncated'), characters: z.int().positive() }),
  /** Does what was asked, then answers with these fields replaced; `null` leaves one out. */
  z.strictObject({ kind: z.literal('replaced'), fields: z.record(z.string(), z.json()) }),
  /** Grants more than asked: these permissions too, every repository of the installation. */
  z.strictObject({
    kind: z.literal('wider'),
    permissions: z.record(z.string(), z.string()).default({}),
    everyRepository: z.boolean().default(false),
  }),
])

/** How the stand-in misbehaves, once. */
export type GithubFault = z.input<typeof faultSchema>
type Fault = z.output<typeof faultSchema>

const ENDPOINTS = ['mint', 'revoke', 'probe', 'any'] as const
/** Which request a fault waits for. `probe` is `GET /installation/repositories`. */
export type GithubEndpoint = (typeof ENDPOINTS)[number]

/** Body of `POST /_standin/faults`. */
export const faultRequestSchema = z.strictObject({
  on: z.enum(ENDPOINTS).default('any'),
  fault: faultSchema,
})

export interface GithubFaults {
  /** The next request to that endpoint meets this fault. Faults queue up. */
  next(fault: GithubFault, on?: GithubEndpoint): void
  clear(): void
}

export interface Faults extends GithubFaults {
  readonly middleware: RequestHandler
}

export function makeFaults(clock: { now(): Date }): Faults {
  let waiting: { readonly on: GithubEndpoint; readonly fault: Fault }[] = []

  function take(request: Request): Fault | undefined {
    const endpoint = endpointOf(request)
    const found = waiting.find(({ on }) => on === 'any' || on === endpoint)
    waiting = waiting.filter((one) => one !== found)
    return found?.fault
  }

  return {
    next(fault, on = 'any') {
      waiting.push({ on, fault: faultSchema.parse(fault) })
    },
    clear() {
      waiting = []
    },
    middleware: async (request, response, next) => {
      const fault = take(request)
      if (fault && (await instead(fault, response, clock.now()))) return
      if (fault) tamper(fault, response)
      next()
    },
  }
}

/** What the fault in hand adds to a grant. */
export function widening(response: Response): Extract<Fault, { kind: 'wider' }> | undefined {
  const fault: unknown = response.locals['fault']
  const parsed = faultSchema.safeParse(fault)
  return parsed.success && parsed.data.kind === 'wider' ? parsed.data : undefined
}

function endpointOf({ method, path }: Request): GithubEndpoint {
  if (method === 'POST' && path.endsWith('/access_tokens')) return 'mint'
  if (method === 'DELETE' && path === '/installation/token') return 'revoke'
  if (method === 'GET' && path === '/installation/repositories') return 'probe'
  return 'any'
}

/** Faults that come instead of the effect. True when the request was dealt with. */
async function instead(fault: Fault, response: Response, now: Date): Promise<boolean> {
  if (fault.kind === 'slow') await wait(fault.milliseconds, undefined, { ref: false })
  if (fault.kind === 'status') answerStatus(fault, response, now)
  if (fault.kind === 'dropped') response.socket?.destroy()
  return ['status', 'dropped', 'hang'].includes(fault.kind)
}

function answerStatus(
  fault: Extract<Fault, { kind: 'status' }>,
  response: Response,
  now: Date,
): void {
  if (fault.location !== undefined) response.set('location', fault.location)
  if (fault.retryAfterSeconds !== undefined)
    response.set('retry-after', String(fault.retryAfterSeconds))
  if (fault.rateLimitResetSeconds !== undefined) {
    const reset = Math.floor(now.getTime() / 1000) + fault.rateLimitResetSeconds
    response.set('x-ratelimit-remaining', '0').set('x-ratelimit-reset', String(reset))
  }
  refuse(response, fault.status, fault.message ?? `stand-in fault ${String(fault.status)}`)
}

/** Faults that come after the effect: they replace the answer. */
function tamper(fault: Fault, response: Response): void {
  response.locals['fault'] = fault
  if (fault.kind === 'slow' || fault.kind === 'wider') return
  if (fault.kind === 'lost') {
    response.json = response.end = () => {
      response.socket?.destroy()
      return response
    }
    return
  }
  const { send } = response
  response.json = (body: unknown) => {
    response.type(fault.kind === 'garbage' ? 'html' : 'json')
    return send.call(response, rewritten(fault, body))
  }
}

function rewritten(fault: Fault, body: unknown): string {
  if (fault.kind === 'garbage') return '<html>all is well</html>'
  if (fault.kind === 'truncated') return JSON.stringify(body).slice(0, fault.characters)
  if (fault.kind === 'empty') return ''
  if (fault.kind !== 'replaced') throw new TypeError(`${fault.kind} does not rewrite answers`)
  const fields = Object.entries({ ...(body as object), ...fault.fields }) // bodies are objects
  return JSON.stringify(Object.fromEntries(fields.filter(([, value]) => value !== null)))
}
