import { MayflyError, type Issuer } from '@mayfly/core'

import { isReference, type ResolveReference } from './resolve-references.ts'

export interface ResolvedIssuer {
  readonly issuer: Issuer
  readonly unresolved: readonly { readonly path: string; readonly message: string }[]
}

/** An issuer's `issuer`, `audience` and key URL may be references: where it runs is not policy. */
export function resolveIssuer(
  written: Issuer,
  resolve: ResolveReference | undefined,
): ResolvedIssuer {
  const unresolved: { path: string; message: string }[] = []
  const read = (path: string, text: string): string => {
    if (!isReference(text)) return text
    try {
      if (!resolve) throw new MayflyError('policy_set_invalid', `${text} cannot be resolved here`)
      return resolve(text)
    } catch (error) {
      if (!(error instanceof MayflyError)) throw error
      unresolved.push({ path, message: error.message })
      return text
    }
  }
  const { issuer: url, keys } = written
  const issuer: Issuer = {
    ...written,
    audience: read('spec.audience', written.audience),
    ...(url === undefined ? {} : { issuer: read('spec.issuer', url) }),
    keys: keys.from === 'url' ? { from: 'url', url: read('spec.keys.url', keys.url) } : keys,
  }
  return { issuer, unresolved }
}
