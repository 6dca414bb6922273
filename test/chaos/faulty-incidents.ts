import type { ContainmentStore, FreezeStore } from '@mayfly/core'

import type { Through } from './steps.ts'

export function faultyFreezes(freezes: FreezeStore, through: Through): FreezeStore {
  return {
    ...freezes,
    create: (freeze) => through('freezes.create', freeze.id, () => freezes.create(freeze)),
    lift: (id, act) => through('freezes.lift', id, () => freezes.lift(id, act)),
  }
}

export function faultyContainments(
  containments: ContainmentStore,
  through: Through,
): ContainmentStore {
  return {
    ...containments,
    begin: (asked) => through('containments.begin', asked.id, () => containments.begin(asked)),
    collect: (id) => through('containments.collect', id, () => containments.collect(id)),
    endSome: (id, limit) =>
      through('containments.endSome', id, () => containments.endSome(id, limit)),
  }
}
