import { MayflyError } from './errors.ts'
import type { Json } from './json.ts'

/** A parameter after validation and canonicalisation. */
export type ParameterValue = string | number | boolean

export type ParameterValues = Readonly<Record<string, ParameterValue>>

const PLACEHOLDER = /\{\{([A-Za-z][A-Za-z0-9_]*)\}\}/g
const WHOLE_LEAF = /^\{\{([A-Za-z][A-Za-z0-9_]*)\}\}$/

/** The names in the `{{name}}` placeholders of a document's string leaves. */
export function placeholdersIn(document: Json): ReadonlySet<string> {
  const names = new Set<string>()
  mapLeaves(document, (leaf) => {
    for (const [, name] of leaf.matchAll(PLACEHOLDER)) if (name !== undefined) names.add(name)
    return leaf
  })
  return names
}

/** Text in a string leaf that looks like a placeholder and is none: `{{ repo }}`, `{{a-b}}`, `}}`. */
export function brokenPlaceholdersIn(document: Json): readonly string[] {
  const broken: string[] = []
  mapLeaves(document, (leaf) => {
    if (/\{\{|\}\}/.test(leaf.replace(PLACEHOLDER, ''))) broken.push(leaf)
    return leaf
  })
  return broken
}

/**
 * Puts values into a document's string leaves. A leaf that is nothing but a placeholder takes the
 * value's type; values are never read again as placeholders, and keys are never touched. Throws
 * `scope_invalid` for a name without a value.
 */
export function fillPlaceholders(document: Json, values: ParameterValues): Json {
  return mapLeaves(document, (leaf) => {
    const whole = WHOLE_LEAF.exec(leaf)?.[1]
    return whole === undefined ? fillText(leaf, values) : valueOf(whole, values)
  })
}

/** {@link fillPlaceholders} for one string. */
export function fillText(text: string, values: ParameterValues): string {
  return text.replace(PLACEHOLDER, (_, name: string) => String(valueOf(name, values)))
}

function valueOf(name: string, values: ParameterValues): ParameterValue {
  const value = Object.hasOwn(values, name) ? values[name] : undefined
  if (value === undefined) {
    throw new MayflyError('scope_invalid', `the template uses ${name}, which has no value`)
  }
  return value
}

function mapLeaves(node: Json, change: (leaf: string) => Json): Json {
  if (typeof node === 'string') return change(node)
  if (typeof node !== 'object' || node === null) return node
  if (isList(node)) return node.map((item) => mapLeaves(item, change))
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, mapLeaves(value, change)]),
  )
}

/** `Array.isArray` does not narrow readonly arrays. */
function isList(node: Json): node is readonly Json[] {
  return Array.isArray(node)
}
