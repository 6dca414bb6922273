import type { TextLimits } from '@mayfly/core'

const DEFAULT_MAX_LENGTH = 256

/** Mean nothing in a GitHub name, an ARN, an IAM policy, a Vault path or a Vault policy. */
const PLAIN = /^[A-Za-z0-9._-]$/
/** Separate the parts of a path or an ARN: fine where the pattern spells them, and only there. */
const SEPARATORS = '/:@=,'
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/u
const BEYOND_ASCII = /[^ -~]/

/**
 * What keeps a text from being put into a provider's document, whatever its pattern says: a value
 * may pick something inside the template's bounds and never move them. `null` when nothing does.
 */
export function textProblem(
  text: string,
  limits: TextLimits & { readonly pattern?: string },
): string | null {
  if (text === '') return 'must not be empty'
  if (text.length > (limits.maxLength ?? DEFAULT_MAX_LENGTH)) return 'is too long'
  if (CONTROL.test(text)) return 'holds an invisible or control character'
  if (limits.unicode !== true && BEYOND_ASCII.test(text)) return 'holds a character beyond ASCII'
  if (!isPlainPath(text)) return 'holds an empty, `.` or `..` path segment'
  const allowed = new Set(limits.allow)
  const refused = Array.from(text).find((character) => !mayHold(character, limits, allowed))
  return refused === undefined ? null : `must not hold ${JSON.stringify(refused)}`
}

function mayHold(
  character: string,
  { pattern = '', unicode }: TextLimits & { readonly pattern?: string },
  allowed: ReadonlySet<string>,
): boolean {
  if (PLAIN.test(character) || allowed.has(character)) return true
  if (SEPARATORS.includes(character)) return pattern.includes(character)
  return unicode === true && /[\p{L}\p{N}]/u.test(character)
}

/** Dot segments and doubled or outer slashes mean different things to different readers (R44). */
function isPlainPath(text: string): boolean {
  return text.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}
