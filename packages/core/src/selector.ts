import { MayflyError } from './errors.ts'
import type { ProviderName } from './provider.ts'

/**
 * Which leases a freeze or a containment is about: several fields must all match. What each of them
 * means is said once, by the function `selector_matches` in the database, for stored leases and for
 * new mints alike.
 */
export interface Selector {
  readonly lease?: string
  readonly task?: string
  readonly agent?: string
  /** `<issuer>#<sub>`. */
  readonly subject?: string
  readonly owner?: string
  readonly environment?: string
  readonly issuer?: string
  readonly template?: string
  readonly templateVersion?: number
  readonly provider?: ProviderName
  /** `acme/payments`, by whichever means a lease reaches it. */
  readonly repository?: string
  readonly organisation?: string
  /**
   * `contents:write` on GitHub (at least that level), `s3:PutObject` or `s3:Put*` on AWS,
   * `vault:update`: a capability on any path.
   */
  readonly permission?: string
  readonly awsAccount?: string
  /** An ARN. */
  readonly awsRole?: string
  /** The path, everything below it, and leases on a prefix that covers it. */
  readonly vaultPath?: string
  /** ISO 8601. The window has its first instant in it, and not its last. */
  readonly createdAfter?: string
  readonly createdBefore?: string
  readonly everything?: true
}

/** The one spelling of a selector. Throws for one that selects by accident: nothing, or everything. */
export function normaliseSelector(asked: Selector): Selector {
  const { everything, ...fields } = asked
  const names = Object.keys(fields)
  if (everything) {
    if (names.length === 0) return { everything }
    throw new MayflyError(
      'selector_everything_not_alone',
      'a selector of everything has no other fields: remove one or the other',
      { details: { fields: names } },
    )
  }
  if (names.length === 0) {
    throw new MayflyError('selector_empty', 'a selector needs a field, or `everything: true`')
  }
  if (fields.templateVersion !== undefined && fields.template === undefined) {
    throw new MayflyError('selector_invalid', 'templateVersion needs a template')
  }
  return { ...fields, ...spelledOnce(fields), ...windowOf(fields) }
}

/** Names that GitHub and AWS compare without case, and a path that may be written as a folder. */
function spelledOnce({ repository, organisation, permission, vaultPath }: Selector): Selector {
  return {
    ...(permission !== undefined && { permission: permission.toLowerCase() }),
    ...(repository !== undefined && { repository: repository.toLowerCase() }),
    ...(organisation !== undefined && { organisation: organisation.toLowerCase() }),
    ...(vaultPath !== undefined && { vaultPath: vaultPath.replace(/\/(?:\*)?$/, '') }),
  }
}

function windowOf({ createdAfter, createdBefore }: Selector): Selector {
  const after = createdAfter === undefined ? null : new Date(createdAfter)
  const before = createdBefore === undefined ? null : new Date(createdBefore)
  if (after && before && after >= before) {
    throw new MayflyError('selector_window_invalid', 'createdAfter must be before createdBefore')
  }
  return {
    ...(after && { createdAfter: after.toISOString() }),
    ...(before && { createdBefore: before.toISOString() }),
  }
}
