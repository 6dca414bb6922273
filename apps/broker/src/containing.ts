import {
  makeContain,
  makeEndContained,
  makePreviewContainment,
  type Contain,
  type ContainmentStore,
  type NewId,
  type PreviewContainment,
  type Report,
} from '@mayfly/core'

export interface Containing {
  readonly contain: Contain
  readonly previewContainment: PreviewContainment
}

/** Leases that end in one statement: enough to be quick, few enough to let mints in between. */
const BATCH_SIZE = 200

export function makeContaining(deps: {
  readonly containments: ContainmentStore
  readonly newId: NewId
  readonly report: Report
}): Containing {
  const ending = { ...deps, batchSize: BATCH_SIZE }
  return {
    contain: makeContain(ending, makeEndContained(ending)),
    previewContainment: makePreviewContainment(deps.containments),
  }
}
