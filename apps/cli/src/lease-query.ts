import type { LeaseQuery } from '@mayfly/protocol'

import { readSelector, SELECTOR_OPTIONS, type SelectorValues } from './selector-options.ts'

/** The options that narrow a list of leases: a selector, and one target as it is written. */
export const LEASE_QUERY_OPTIONS = { ...SELECTOR_OPTIONS, target: { type: 'string' } } as const

export function leaseQueryOf({
  target,
  ...values
}: SelectorValues & { readonly target?: string }): LeaseQuery {
  const selects = Object.keys(SELECTOR_OPTIONS).some((option) => Object.hasOwn(values, option))
  return {
    ...(selects && readSelector(values)),
    ...(target !== undefined && { target }),
  }
}
