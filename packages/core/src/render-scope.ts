import { MayflyError } from './errors.ts'
import type { Json, JsonObject } from './json.ts'
import type { ScopeTemplate } from './resources.ts'
import { fillPlaceholders, type ParameterValues } from './template.ts'

type Renderable = Pick<ScopeTemplate, 'name' | 'fragment' | 'actions'>

/**
 * The provider document for exactly these actions: the template's shared part and the fragments of
 * the actions asked for, filled and merged. Throws `scope_invalid` when anything in it is empty,
 * because providers read an empty list as "everything" (a GitHub token without repositories has
 * all of them).
 */
export function renderScope(
  template: Renderable,
  actions: readonly string[],
  parameters: ParameterValues,
): JsonObject {
  const fragments = [template.fragment, ...actions.map((action) => fragmentOf(template, action))]
  const scope = fragments
    .map((fragment) => fillPlaceholders(fragment, parameters))
    .reduce((merged, fragment) => merge(merged, fragment, ''), {})
  if (!isObject(scope)) throw new MayflyError('scope_invalid', 'a scope is an object')
  refuseEmpty(scope, template.name)
  return scope
}

function fragmentOf(template: Renderable, action: string): JsonObject {
  const found = Object.hasOwn(template.actions, action) ? template.actions[action] : undefined
  if (!found) throw new MayflyError('action_unknown', `${template.name} has no action ${action}`)
  return found.fragment
}

/**
 * Objects merge by key and lists become unions. Of two permission levels the higher one was asked
 * for; any other two values that differ cannot both be meant.
 */
function merge(left: Json, right: Json, key: string): Json {
  if (isList(left) && isList(right)) return right.reduce<readonly Json[]>(unite, left)
  if (isObject(left) && isObject(right)) return mergeObjects(left, right, key)
  if (key === 'permission') return higher(left, right)
  if (left === right) return left
  throw new MayflyError('scope_invalid', `the actions asked for do not agree on ${key}`)
}

function mergeObjects(left: JsonObject, right: JsonObject, key: string): JsonObject {
  const merged: Record<string, Json> = { ...left }
  for (const [name, value] of Object.entries(right)) {
    const present = Object.hasOwn(merged, name) ? merged[name] : undefined
    const inside = key === 'permissions' ? 'permission' : name
    merged[name] = present === undefined ? value : merge(present, value, inside)
  }
  return merged
}

/** Adds to a list what it does not have. Two entries for one Vault path become one. */
function unite(list: readonly Json[], item: Json): readonly Json[] {
  const twin = list.findIndex((other) => identity(other) === identity(item))
  if (twin === -1) return [...list, item]
  return list.map((other, index) => (index === twin ? merge(other, item, '') : other))
}

function identity(item: Json): string {
  if (!isObject(item) || typeof item['path'] !== 'string') return JSON.stringify(item)
  return JSON.stringify([item['path'], item['prefix'] ?? false])
}

const LEVELS: readonly Json[] = ['read', 'write', 'admin']

function higher(left: Json, right: Json): Json {
  return LEVELS.indexOf(left) >= LEVELS.indexOf(right) ? left : right
}

function refuseEmpty(node: Json, where: string): void {
  const entries = typeof node === 'object' && node !== null ? Object.entries(node) : null
  if (node === '' || entries?.length === 0) {
    throw new MayflyError('scope_invalid', `${where} comes out empty`)
  }
  for (const [key, value] of entries ?? []) refuseEmpty(value, `${where}.${key}`)
}

function isList(node: Json): node is readonly Json[] {
  return Array.isArray(node)
}

function isObject(node: Json): node is JsonObject {
  return typeof node === 'object' && node !== null && !isList(node)
}
