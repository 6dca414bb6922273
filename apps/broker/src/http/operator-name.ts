import type { Response } from 'express'

import { callerOf } from './authenticate.ts'

/** `<issuer>#<sub>` of the operator that the route's guard has let in. */
export function operatorName(res: Response): string {
  const { issuer, subject } = callerOf(res, 'operator').operator
  return `${issuer}#${subject}`
}
