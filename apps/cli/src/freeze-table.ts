import type { FreezeBody } from '@mayfly/protocol'

import { plainTable } from './plain-table.ts'
import { printable } from './printable.ts'
import { selectorText } from './selector-options.ts'

export function freezeTable(freezes: readonly FreezeBody[]): string {
  return plainTable(
    ['FREEZE', 'STATE', 'SELECTOR', 'REASON', 'BY', 'UNTIL', 'CONTAINMENT'],
    freezes.map((freeze) => [
      freeze.id,
      stateOf(freeze),
      printable(selectorText(freeze.selector)),
      printable(freeze.liftReason ?? freeze.reason),
      printable(freeze.liftedBy ?? freeze.createdBy),
      freeze.liftedAt ?? freeze.expiresAt ?? 'lifted',
      freeze.containmentId ?? '',
    ]),
  )
}

export function freezeText(freeze: FreezeBody): string {
  const until = freeze.expiresAt === null ? 'until it is lifted' : `until ${freeze.expiresAt}`
  const what = `${freeze.id} ${stateOf(freeze)}: ${selectorText(freeze.selector)}`
  return `${printable(freeze.inForce ? `${what}, ${until}` : what)}\n`
}

function stateOf({ inForce, liftedAt }: FreezeBody): string {
  if (inForce) return 'in force'
  return liftedAt === null ? 'expired' : 'lifted'
}
