import type { ServerResponse } from 'node:http'

import { z } from 'zod'

/**
 * How one of the next requests goes wrong. `lost` carries the request out and drops the connection;
 * `hang` carries nothing out and answers never; the others answer without carrying it out.
 */
export const awsFaultSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('error'),
    status: z.int().min(400).max(599),
    code: z.string(),
    ...target(),
  }),
  z.strictObject({ kind: z.literal('garbage'), ...target() }),
  z.strictObject({ kind: z.literal('empty'), ...target() }),
  z.strictObject({ kind: z.literal('hang'), ...target() }),
  z.strictObject({ kind: z.literal('lost'), ...target() }),
])

export type AwsFault = z.input<typeof awsFaultSchema>

function target() {
  return {
    /** `AssumeRole`, `PutRolePolicy`, …; any operation when left out. */
    operation: z.string().optional(),
    times: z.int().positive().default(1),
  }
}

export interface AwsFaults {
  /** Makes the next request (or `times` of them) go wrong. Several wait in line. */
  readonly next: (fault: AwsFault) => void
  readonly clear: () => void
}

type Waiting = z.output<typeof awsFaultSchema>

export interface FaultQueue extends AwsFaults {
  readonly take: (operation: string) => Waiting | undefined
}

export function makeFaultQueue(): FaultQueue {
  let waiting: readonly Waiting[] = []
  return {
    next(fault) {
      waiting = [...waiting, awsFaultSchema.parse(fault)]
    },
    clear() {
      waiting = []
    },
    take(operation) {
      const fault = waiting.find(
        (one) => one.operation === undefined || one.operation === operation,
      )
      if (!fault) return undefined
      const left = { ...fault, times: fault.times - 1 }
      waiting = waiting.flatMap((one) => (one !== fault ? [one] : left.times > 0 ? [left] : []))
      return fault
    },
  }
}

/** Answers wrongly. Returns false for `hang` and `lost`, which have no answer. */
export function misanswer(fault: Waiting, response: ServerResponse): boolean {
  switch (fault.kind) {
    case 'error':
      response.writeHead(fault.status, { 'content-type': 'text/xml' })
      response.end(
        `<ErrorResponse><Error><Type>Sender</Type><Code>${fault.code}</Code><Message>injected</Message></Error></ErrorResponse>`,
      )
      return true
    case 'garbage':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>maintenance</bo')
      return true
    case 'empty':
      response.writeHead(200, { 'content-type': 'text/xml' }).end()
      return true
    case 'hang':
    case 'lost':
      return false
  }
}
