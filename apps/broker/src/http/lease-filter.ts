import { MayflyError, type LeaseFilter } from '@mayfly/core'
import { leaseListQuery, selectorSchema } from '@mayfly/protocol'

import { parseRequest } from './parse-request.ts'
import { selectorOf } from './selector-of.ts'

/** Which leases a query asks for. Its selector is refused with the codes that a containment has. */
export function leaseFilterOf(query: unknown): LeaseFilter {
  const { live, target, taskId, limit, ...fields } = parse(query)
  return {
    limit,
    ...(live !== undefined && { live }),
    ...(target !== undefined && { target }),
    ...(taskId !== undefined && { taskId }),
    ...(Object.keys(fields).length > 0 && { selector: selectorOf(fields) }),
  }
}

function parse(query: unknown): ReturnType<typeof leaseListQuery.parse> {
  const parsed = leaseListQuery.safeParse(query)
  const issue = parsed.error?.issues.find(({ path }) => inSelector(path[0]))
  if (!issue) return parseRequest(leaseListQuery, query)
  const path = issue.path.map(String).join('.')
  throw new MayflyError('selector_invalid', `${path}: ${issue.message}`, {
    details: { issues: [{ path, message: issue.message }] },
  })
}

function inSelector(field: PropertyKey | undefined): boolean {
  return field !== undefined && Object.hasOwn(selectorSchema.shape, field)
}
