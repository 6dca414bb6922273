import type { Shutdown } from '@mayfly/runtime'

import type { Bundle } from './bundle.ts'

/** What all parts of one run share. */
export interface ChaosRun {
  readonly bundle: Bundle
  /** Ends what is still running when the run itself is told to end. */
  readonly shutdown: Shutdown
  readonly say: (text: string) => void
}
