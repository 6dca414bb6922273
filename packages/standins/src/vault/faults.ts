import { setTimeout as wait } from 'node:timers/promises'

import type { RequestHandler, Response } from 'express'
import { z } from 'zod'

const faultSchema = z.discriminatedUnion('kind', [
  /** 403, 429, 500 and so on, with Vault's error form. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(300).max(599),
    errors: z.array(z.string()).default([]),
    retryAfterSeconds: z.int().optional(),
  }),
  z.strictObject({ kind: z.literal('garbage') }),
  z.strictObject({ kind: z.literal('empty') }),
  z.strictObject({ kind: z.literal('oversized') }),
  z.strictObject({ kind: z.literal('hang') }),
  /** The request is carried out and the answer never arrives. */
  z.strictObject({ kind: z.literal('lost') }),
  /** The request is carried out and these members of the answer's `auth` are replaced. */
  z.strictObject({ kind: z.literal('alter'), auth: z.record(z.string(), z.unknown()) }),
])

/** Body of `POST /_standin/faults`. */
export const faultRequestSchema = z.strictObject({
  /** Start of the paths concerned, without `/v1/`: everything unless told. */
  path: z.string().default(''),
  /** How many requests it spoils: all unless told. */
  times: z.int().positive().optional(),
  /** `null` heals everything. */
  fault: faultSchema.nullable(),
})

export type VaultFaultRequest = z.input<typeof faultRequestSchema>

export interface Faults {
  set(request: VaultFaultRequest): void
  readonly middleware: RequestHandler
}

export function makeFaults(): Faults {
  let active: { path: string; left: number; fault: z.output<typeof faultSchema> }[] = []

  function take(path: string) {
    const found = active.find((each) => path.startsWith(each.path))
    if (found === undefined) return undefined
    found.left -= 1
    active = active.filter(({ left }) => left > 0)
    return found.fault
  }

  return {
    set(request) {
      const { path, times = Infinity, fault } = faultRequestSchema.parse(request)
      active = fault === null ? [] : [...active, { path, left: times, fault }]
    },
    middleware: async (request, response, next) => {
      const [, path] = /^\/v1\/(.*)$/.exec(request.path) ?? []
      const fault = path === undefined ? undefined : take(path)
      if (fault === undefined || (await goesOn(fault, response))) next()
    },
  }
}

/** Answers, or spoils the answer that the handler will give and says so. */
async function goesOn(fault: z.output<typeof faultSchema>, response: Response): Promise<boolean> {
  switch (fault.kind) {
    case 'status':
      if (fault.retryAfterSeconds !== undefined) {
        response.set('retry-after', String(fault.retryAfterSeconds))
      }
      response.status(fault.status).json({ errors: fault.errors })
      return false
    case 'garbage':
      response.type('json').send('<html>')
      return false
    case 'empty':
      response.status(200).end()
      return false
    case 'oversized':
      response.type('json').send(`{"padding":"${'x'.repeat(4_000_000)}"}`)
      return false
    case 'hang':
      await wait(600_000, undefined, { ref: false })
      return false
    case 'lost':
      Object.assign(response, { end: () => response.destroy() })
      return true
    case 'alter': {
      const send = response.json.bind(response)
      response.json = (body: unknown) => send(altered(body, fault.auth))
      return true
    }
  }
}

const authReplySchema = z.looseObject({ auth: z.record(z.string(), z.unknown()) })

function altered(body: unknown, auth: Readonly<Record<string, unknown>>): unknown {
  const parsed = authReplySchema.safeParse(body)
  return parsed.success ? { ...parsed.data, auth: { ...parsed.data.auth, ...auth } } : body
}
