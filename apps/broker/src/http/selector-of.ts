import { normaliseSelector, type Selector } from '@mayfly/core'
import type { SelectorBody } from '@mayfly/protocol'
import { assertSelectable } from '@mayfly/providers'

/** A selector that was asked for, in its one spelling. Throws for one that can only be a mistake. */
export function selectorOf(body: SelectorBody): Selector {
  const selector = normaliseSelector(body)
  assertSelectable(selector)
  return selector
}
