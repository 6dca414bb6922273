import type { CredentialProvider } from './provider.ts'

/** The provider behind a connection, as of a policy set. */
export interface Providers {
  /**
   * The named connection of the set in force, or of the pinned set when it is gone since. Throws
   * `provider_unavailable` when neither has it.
   */
  get(connection: string, pinnedPolicySetVersion: number): Promise<CredentialProvider>
}
