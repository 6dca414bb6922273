import { MayflyError, type OperatorRole } from '@mayfly/core'
import { refusalOf } from '@mayfly/identity'
import type { RequestHandler, Response } from 'express'

import { limitCaller } from './limit-rate.ts'
import { contextOf, type Caller } from './request-context.ts'

/** Verifies one class of tokens. Each throws `unauthenticated` for tokens of another class. */
export interface Verifiers {
  workload(token: string): Promise<Extract<Caller, { kind: 'workload' }>>
  task(token: string): Promise<Extract<Caller, { kind: 'task' }>>
  operator(token: string): Promise<Extract<Caller, { kind: 'operator' }>>
}

export interface AuthenticateDeps {
  readonly verifiers: Verifiers
  /** Records a token that was presented and refused. Must not throw. */
  readonly refused: (error: MayflyError, requestId: string) => void
  /** For one agent or person on this broker, over all its addresses and tasks (R115). */
  readonly requestsPerMinutePerCaller: number
}

export interface Authenticate {
  /** Agents' own tokens: opening and renewing tasks. */
  readonly workload: RequestHandler
  /** The token of a task. */
  readonly task: RequestHandler
  /** The token of a task, or of an operator with one of the roles. */
  taskOrOperator(roles: readonly OperatorRole[]): RequestHandler
  /** The token of an operator with one of the roles. */
  operator(roles: readonly OperatorRole[]): RequestHandler
}

export const ANY_ROLE: readonly OperatorRole[] = ['platform', 'approver', 'responder', 'auditor']

/** One class of tokens is refused on the other's routes (R13). */
export function makeAuthenticate(deps: AuthenticateDeps): Authenticate {
  const { verifiers } = deps
  const limit = limitCaller(deps.requestsPerMinutePerCaller, (_req, res) =>
    nameOf(contextOf(res).caller),
  )
  const operatorWith = async (token: string, roles: readonly OperatorRole[]): Promise<Caller> => {
    const caller = await verifiers.operator(token)
    if (caller.operator.roles.some((role) => roles.includes(role))) return caller
    throw new MayflyError('role_required', `this needs one of the roles: ${roles.join(', ')}`)
  }

  const guard = (verify: (token: string) => Promise<Caller>): RequestHandler => {
    return async (req, res, next) => {
      const context = contextOf(res)
      const token = bearerOf(req.headers.authorization)
      try {
        context.caller = await verify(token)
      } catch (error) {
        if (error instanceof MayflyError && isRefusal(error)) {
          deps.refused(error, context.requestId)
        }
        throw error
      }
      await limit(req, res, next)
    }
  }

  return {
    workload: guard((token) => verifiers.workload(token)),
    task: guard((token) => verifiers.task(token)),
    operator: (roles) => guard((token) => operatorWith(token, roles)),
    taskOrOperator: (roles) =>
      guard(async (token) => {
        try {
          return await verifiers.task(token)
        } catch (error) {
          // The `typ` header tells the two apart before any signature is looked at.
          if (refusalOf(error)?.reason !== 'type_not_accepted') throw error
          return operatorWith(token, roles)
        }
      }),
  }
}

function nameOf(caller: Caller | null): string {
  switch (caller?.kind) {
    case 'task':
      return `agent ${caller.agent}`
    case 'workload':
      return `agent ${caller.workload.agent.name}`
    case 'operator':
      return `operator ${caller.operator.issuer} ${caller.operator.subject}`
    case undefined:
      throw new Error('a caller is limited before it is known')
  }
}

/** The caller that the route's own guard has let in. */
export function callerOf<Kind extends Caller['kind']>(
  res: Response,
  ...kinds: readonly Kind[]
): Extract<Caller, { kind: Kind }> {
  const { caller } = contextOf(res)
  if (caller && isOneOf(caller, kinds)) return caller
  throw new Error('a route was reached without its guard')
}

function isOneOf<Kind extends Caller['kind']>(
  caller: Caller,
  kinds: readonly Kind[],
): caller is Extract<Caller, { kind: Kind }> {
  return kinds.some((kind) => kind === caller.kind)
}

/** RFC 6750 section 2.1. Tokens in queries or bodies are not looked for. */
function bearerOf(authorization: string | undefined): string {
  const [, token] = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization ?? '') ?? []
  if (token !== undefined) return token
  throw new MayflyError('unauthenticated', 'send a bearer token')
}

function isRefusal(error: MayflyError): boolean {
  return refusalOf(error) !== null || error.code === 'role_required'
}
