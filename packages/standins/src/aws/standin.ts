import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'

import { z } from 'zod'

import { listen } from '../listen.ts'
import { makeAccount, type AccountOptions } from './account.ts'
import { carryOut } from './carry-out.ts'
import {
  awsFaultSchema,
  makeFaultQueue,
  misanswer,
  type AwsFaults,
  type FaultQueue,
} from './faults.ts'
import { describeSession, isLive, type IssuedSession } from './issued.ts'
import { type ReceivedRequest } from './sigv4.ts'

export interface AwsStandinOptions extends AccountOptions {
  readonly port?: number
  /** Connections serve many requests, as in life; a client then holds some open. */
  readonly keepAlive?: boolean
  /** How long each call takes before it is carried out. Not at all unless told. */
  readonly latencyMs?: number
}

/** One AWS account on one port: STS, IAM, path-style S3 and a little CloudWatch Logs. */
export interface AwsStandin {
  readonly url: URL
  readonly faults: AwsFaults
  /** Every session ever minted. */
  issued(): readonly IssuedSession[]
  /** Those of them that could still do something at `at`. */
  live(at?: Date): readonly IssuedSession[]
  /** Operations asked for so far, oldest first: `AssumeRole`, `PutRolePolicy`, `s3:PUT`. */
  requests(): readonly string[]
  stop(): Promise<void>
}

/**
 * Starts the stand-in. The signed service (`sts`, `iam`, `s3`, `logs`) says which API a request is
 * for, so all of them share the URL. Signatures are checked by signing again with the SDK's own
 * `@smithy/signature-v4`. Other processes can `GET /_standin/issued` and `POST /_standin/faults`.
 */
export async function startAwsStandin(options: AwsStandinOptions): Promise<AwsStandin> {
  const account = makeAccount(options)
  const faults = makeFaultQueue()
  const requests: string[] = []
  const live = (at: Date = account.now()) =>
    [...account.sessions.values()].filter((session) => isLive(account, session, at))

  const listening = await listen((message, response) => {
    void serve(message, response).catch(() => {
      response.destroy()
    })
  }, options)

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await receive(message)
    if (request.url.pathname.startsWith('/_standin/')) {
      control(request, response)
      return
    }
    const operation = operationOf(request)
    requests.push(operation)
    const fault = faults.take(operation)
    if (fault?.kind === 'hang') return
    if (fault && misanswer(fault, response)) return
    if (options.latencyMs !== undefined) await wait(options.latencyMs)
    const answer = await carryOut(account, request)
    if (fault) response.destroy()
    else
      response
        .writeHead(answer.status, { 'content-type': answer.type, 'x-amzn-requestid': randomUUID() })
        .end(answer.body)
  }

  function control(request: ReceivedRequest, response: ServerResponse): void {
    const send = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    const route = `${request.method} ${request.url.pathname}`
    if (route === 'GET /_standin/issued') {
      const alive = new Set(live())
      send(200, {
        sessions: [...account.sessions.values()].map((one) => ({
          ...describeSession(one),
          live: alive.has(one),
        })),
      })
    } else if (route === 'POST /_standin/faults') {
      send(...setFault(faults, request))
    } else send(404, { error: 'not_found' })
  }

  return {
    url: listening.url,
    faults: { next: faults.next, clear: faults.clear },
    issued: () => [...account.sessions.values()].map(describeSession),
    live: (at) => live(at).map(describeSession),
    requests: () => [...requests],
    stop: () => listening.stop(),
  }
}

function setFault(faults: FaultQueue, { headers, body }: ReceivedRequest): [number, unknown] {
  // JSON only: a web page cannot send it to a loopback port without asking first.
  if (headers['content-type'] !== 'application/json') return [415, { error: 'json_only' }]
  try {
    faults.next(awsFaultSchema.parse(JSON.parse(body.toString())))
    return [204, undefined]
  } catch (error) {
    return [
      400,
      { error: 'invalid_request', issues: error instanceof z.ZodError ? error.issues : [] },
    ]
  }
}

async function receive(message: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer) // no encoding is set, so these are buffers
  const url = new URL(message.url ?? '/', `http://${message.headers.host ?? '127.0.0.1'}`)
  return {
    method: message.method ?? 'GET',
    url,
    headers: message.headers,
    body: Buffer.concat(chunks),
  }
}

function operationOf({ method, url, headers, body }: ReceivedRequest): string {
  const target = headers['x-amz-target']
  if (typeof target === 'string') return target.split('.').at(-1) ?? target
  if (method === 'POST' && url.pathname === '/')
    return new URLSearchParams(body.toString()).get('Action') ?? ''
  return `s3:${method}`
}
