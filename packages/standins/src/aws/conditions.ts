import { matchesWildcard } from './wildcard.ts'

/** Values of condition keys, by lower-case key. A key that is absent was not in the request. */
export type RequestContext = ReadonlyMap<string, readonly string[]>

/** `unknown`: an operator or key that this stand-in cannot evaluate. */
export type ConditionResult = 'met' | 'unmet' | 'unknown'

type Compare = (actual: string, wanted: string) => boolean

const time = (text: string): number => (/^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text))

// Comparisons with NaN are false, so a date or number that does not parse never matches.
const OPERATORS: Readonly<Record<string, Compare>> = {
  StringEquals: (actual, wanted) => actual === wanted,
  StringEqualsIgnoreCase: (actual, wanted) => actual.toLowerCase() === wanted.toLowerCase(),
  StringLike: (actual, wanted) => matchesWildcard(wanted, actual),
  ArnEquals: (actual, wanted) => matchesWildcard(wanted, actual),
  ArnLike: (actual, wanted) => matchesWildcard(wanted, actual),
  DateLessThan: (actual, wanted) => time(actual) < time(wanted),
  DateLessThanEquals: (actual, wanted) => time(actual) <= time(wanted),
  DateGreaterThan: (actual, wanted) => time(actual) > time(wanted),
  DateGreaterThanEquals: (actual, wanted) => time(actual) >= time(wanted),
  NumericEquals: (actual, wanted) => Number(actual) === Number(wanted),
  NumericLessThan: (actual, wanted) => Number(actual) < Number(wanted),
  NumericLessThanEquals: (actual, wanted) => Number(actual) <= Number(wanted),
}

const KNOWN_KEYS = [
  'aws:currenttime',
  'aws:userid',
  'aws:username',
  'aws:principalarn',
  'aws:sourceidentity',
  'aws:tokenissuetime',
  'aws:tagkeys',
  'sts:rolesessionname',
  'sts:sourceidentity',
  'sts:externalid',
  's3:prefix',
  'iam:policyarn',
]
const KNOWN_PREFIXES = ['aws:principaltag/', 'aws:requesttag/']

/** Evaluates a Condition block: every operator and key in it must hold. */
export function evaluateConditions(
  conditions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>,
  context: RequestContext,
): ConditionResult {
  const results = Object.entries(conditions).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, wanted]) =>
      evaluate(operator, { key: key.toLowerCase(), wanted }, context),
    ),
  )
  // One condition that is certainly not met settles it, whatever the unknown ones are.
  if (results.includes('unmet')) return 'unmet'
  return results.includes('unknown') ? 'unknown' : 'met'
}

function evaluate(
  operator: string,
  { key, wanted }: { key: string; wanted: readonly string[] },
  context: RequestContext,
): ConditionResult {
  if (!isKnown(key)) return 'unknown'
  const actual = context.get(key)
  if (operator === 'Null') return met((actual === undefined) === (wanted[0] === 'true'))

  const parts = /^(ForAllValues:|ForAnyValue:)?(\w+?)(IfExists)?$/.exec(operator)
  const [, set, name = '', ifExists] = parts ?? []
  const negated = name.includes('Not')
  const matches = matcherOf(name.replace('Not', ''), wanted)
  if (!matches) return 'unknown'
  const holds = (value: string) => matches(value) !== negated
  if (set === 'ForAllValues:') return met((actual ?? []).every(holds))
  // A negated operator also holds when the key is absent.
  return met(actual === undefined ? negated || ifExists !== undefined : actual.some(holds))
}

function matcherOf(
  operator: string,
  wanted: readonly string[],
): ((actual: string) => boolean) | undefined {
  const compare = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined
  return compare && ((actual) => wanted.some((one) => compare(actual, one)))
}

function isKnown(key: string): boolean {
  return KNOWN_KEYS.includes(key) || KNOWN_PREFIXES.some((prefix) => key.startsWith(prefix))
}

function met(yes: boolean): ConditionResult {
  return yes ? 'met' : 'unmet'
}
