import type { AuthorizedCall, RepeatableCall } from './authorized-call.ts'
import {
  containmentDetailResponse,
  containmentListResponse,
  containmentResponse,
  containmentSchema,
  containResponse,
  type ContainmentBody,
  type ContainmentDetail,
  type ContainRequest,
  type PreviewBody,
} from './containment.ts'
import { eventsOf } from './event-stream.ts'
import {
  freezeListResponse,
  freezeResponse,
  type CreateFreezeRequest,
  type FreezeBody,
} from './freeze.ts'
import type { OpenStream, Send } from './http-call.ts'

/** What incident responders do. All of it needs an operator token. */
export interface ContainmentCalls {
  createFreeze(request: CreateFreezeRequest, call: AuthorizedCall): Promise<FreezeBody>
  listFreezes(
    query: { readonly inForce?: boolean; readonly limit?: number },
    call: AuthorizedCall,
  ): Promise<readonly FreezeBody[]>
  liftFreeze(freezeId: string, reason: string, call: AuthorizedCall): Promise<FreezeBody>
  /** What a containment would do. Changes nothing. */
  previewContainment(
    request: Pick<ContainRequest, 'selector'>,
    call: AuthorizedCall,
  ): Promise<PreviewBody>
  /** Once it resolves, nothing that matches is minted any more; what was, is dying. */
  contain(request: ContainRequest, call: RepeatableCall): Promise<ContainmentBody>
  getContainment(
    containmentId: string,
    query: { readonly limit?: number },
    call: AuthorizedCall,
  ): Promise<ContainmentDetail>
  listContainments(
    query: { readonly limit?: number },
    call: AuthorizedCall,
  ): Promise<readonly ContainmentBody[]>
  /** Where it stands, again and again, until nothing is left to be done or the connection ends. */
  watchContainment(containmentId: string, call: AuthorizedCall): AsyncIterable<ContainmentBody>
  cancelContainment(
    containmentId: string,
    reason: string,
    call: AuthorizedCall,
  ): Promise<ContainmentBody>
}

const FREEZES = '/v1/freezes'
const CONTAINMENTS = '/v1/containments'

export function containmentCalls(send: Send, openStream: OpenStream): ContainmentCalls {
  return { ...freezeCalls(send), ...startCalls(send), ...followCalls(send, openStream) }
}

function freezeCalls(
  send: Send,
): Pick<ContainmentCalls, 'createFreeze' | 'listFreezes' | 'liftFreeze'> {
  return {
    async createFreeze(body, { token, ...options }) {
      const answer = freezeResponse
      return (await send({ method: 'POST', path: FREEZES, body, answer, token, options })).freeze
    },
    async listFreezes(query, { token, ...options }) {
      const [path, answer] = [FREEZES, freezeListResponse]
      return (await send({ method: 'GET', path, query, answer, token, options })).freezes
    },
    async liftFreeze(freezeId, reason, { token, ...options }) {
      const path = `${FREEZES}/${encodeURIComponent(freezeId)}/lift`
      const answer = freezeResponse
      return (await send({ method: 'POST', path, body: { reason }, answer, token, options })).freeze
    },
  }
}

function startCalls(send: Send): Pick<ContainmentCalls, 'previewContainment' | 'contain'> {
  const start = { method: 'POST', path: CONTAINMENTS, answer: containResponse } as const
  const statuses = [200, 202]
  return {
    async previewContainment({ selector }, { token, ...options }) {
      const body = { selector, dryRun: true }
      const { preview } = await send({ ...start, body, statuses, token, options })
      if (!preview) throw new Error('a dry run was answered without a preview')
      return preview
    },
    async contain(body, { token, idempotencyKey, ...options }) {
      const { containment } = await send({
        ...{ ...start, body, statuses, token, idempotencyKey, options },
      })
      if (!containment) throw new Error('a containment was answered without one')
      return containment
    },
  }
}

function followCalls(
  send: Send,
  openStream: OpenStream,
): Pick<
  ContainmentCalls,
  'getContainment' | 'listContainments' | 'watchContainment' | 'cancelContainment'
> {
  const pathOf = (id: string): string => `${CONTAINMENTS}/${encodeURIComponent(id)}`
  return {
    getContainment(id, query, { token, ...options }) {
      const answer = containmentDetailResponse
      return send({ method: 'GET', path: pathOf(id), query, answer, token, options })
    },
    async listContainments(query, { token, ...options }) {
      const [path, answer] = [CONTAINMENTS, containmentListResponse]
      return (await send({ method: 'GET', path, query, answer, token, options })).containments
    },
    async *watchContainment(id, { token, ...options }) {
      const response = await openStream({ path: `${pathOf(id)}/events`, token, options })
      yield* eventsOf(response, containmentSchema)
    },
    async cancelContainment(id, reason, { token, ...options }) {
      const path = `${pathOf(id)}/cancel`
      const body = { reason }
      const answer = containmentResponse
      return (await send({ method: 'POST', path, body, answer, token, options })).containment
    },
  }
}
