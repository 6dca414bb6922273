import { MayflyError } from '@mayfly/core'

/** A scope that is refused before anything is sent. `reason` is for programs. */
export function invalid(message: string, reason: string): MayflyError {
  return new MayflyError('scope_invalid', `AWS scope: ${message}`, { details: { reason } })
}
