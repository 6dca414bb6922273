import { MayflyError } from '@mayfly/core'

/** Gives what an `env:NAME` or `file:/path` reference stands for. Throws when there is nothing. */
export type ResolveReference = (reference: string) => string

export interface ReferenceSources {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string) => string
}

/**
 * Reads references from the environment and from files, without a file's last line break. Throws
 * `policy_set_invalid` with the name of the reference, and never with what it stands for.
 */
export function makeResolveReference({ env, readFile }: ReferenceSources): ResolveReference {
  return (reference) => {
    const target = reference.slice(reference.indexOf(':') + 1)
    if (reference.startsWith('env:')) return present(reference, env[target])
    try {
      return present(reference, readFile(target).replace(/\r?\n$/, ''))
    } catch (cause) {
      throw new MayflyError('policy_set_invalid', `${reference} cannot be read`, { cause })
    }
  }
}

export function isReference(text: string): boolean {
  return text.startsWith('env:') || text.startsWith('file:')
}

function present(reference: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value
  throw new MayflyError('policy_set_invalid', `${reference} is not set`)
}
