import type { Credential } from '@mayfly/core'
import type { Request, Response } from 'express'

export interface Delivery {
  /** The whole response was handed to the operating system. */
  readonly delivered: () => void
  /** The connection broke before that: nobody may have the credential. */
  readonly broken: () => void
}

/** Aborts when the caller's connection is gone before the answer is out. */
export function callerSignal(req: Request, res: Response): AbortSignal {
  const gone = new AbortController()
  if (req.socket.destroyed) gone.abort()
  res.once('close', () => {
    // A response that is out closes as well, and an abort that nobody needs is dear.
    if (!res.writableFinished) gone.abort()
  })
  return gone.signal
}

/**
 * Writes a credential, and says afterwards whether it got out. Exactly one of the two is called:
 * Node may report a response as finished on a socket that is already gone.
 */
export function deliver(
  req: Request,
  res: Response,
  { body, credential, delivered, broken }: Delivery & { body: object; credential: Credential },
): void {
  const { socket } = req
  let settled = false
  const settle = (got: boolean) => (): void => {
    if (settled) return
    settled = true
    if (got && !socket.destroyed) delivered()
    else broken()
  }
  if (socket.destroyed || res.destroyed) {
    settle(false)()
    return
  }
  res.once('finish', settle(true))
  res.once('close', settle(false))
  res.status(201).json({ ...body, credential: revealed(credential) })
}

function revealed(credential: Credential): Record<string, string> {
  return Object.fromEntries(
    Object.entries(credential).map(([name, part]) => [
      name,
      typeof part === 'string' ? part : part.reveal(),
    ]),
  )
}
