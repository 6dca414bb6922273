import { parseDuration } from './duration.ts'
import { UsageError } from './usage-error.ts'

/** What one `--template` and the options after it ask for. */
export interface TemplateRequest {
  readonly template: string
  readonly actions: string[]
  readonly parameters: Record<string, ParameterValue>
}

export type ParameterValue = string | number | boolean

/** The options that say what is wanted. Each `--template` begins another request. */
export const REQUEST_OPTIONS = {
  template: { type: 'string', multiple: true, short: 't' },
  action: { type: 'string', multiple: true, short: 'a' },
  param: { type: 'string', multiple: true, short: 'p' },
  ttl: { type: 'string' },
} as const

export const REQUEST_HELP = `  -t, --template NAME    what to ask for; the options below belong to the --template before them
  -a, --action NAME      an action of the template; may be repeated
  -p, --param KEY=VALUE  a parameter as text; KEY:=VALUE for a number or true and false`

interface OptionToken {
  readonly kind: string
  readonly name?: string
  readonly value?: string | undefined
}

/** Reads the requests from parsed tokens, whose order says what belongs together. */
export function readRequests(tokens: readonly OptionToken[]): readonly TemplateRequest[] {
  const requests: {
    template: string
    actions: string[]
    parameters: [string, ParameterValue][]
  }[] = []
  for (const { kind, name, value = '' } of tokens) {
    if (kind !== 'option') continue
    if (name === 'template') requests.push({ template: value, actions: [], parameters: [] })
    const current = requests.at(-1)
    if (name === 'action') after(current, '--action').actions.push(value)
    if (name === 'param') after(current, '--param').parameters.push(parseParameter(value))
  }
  return requests.map((request) => ({
    ...request,
    parameters: withoutDuplicates(request.parameters),
  }))
}

export function readTtl(ttl: string | undefined): { readonly ttlSeconds?: number } {
  return ttl === undefined ? {} : { ttlSeconds: parseDuration(ttl) }
}

function after<Request>(request: Request | undefined, option: string): Request {
  if (request) return request
  throw new UsageError(`${option} must come after the --template that it belongs to`)
}

function parseParameter(text: string): [string, ParameterValue] {
  const [, key, mark, value] = /^([A-Za-z_]\w*)(:?=)([^]*)$/.exec(text) ?? []
  if (key === undefined || value === undefined) {
    throw new UsageError(`"${text}" is not a parameter: write key=value`)
  }
  return [key, mark === '=' ? value : parseTyped(text, value)]
}

/** Numbers and truth values need a mark of their own: a repository may well be called `42`. */
function parseTyped(text: string, value: string): ParameterValue {
  if (value === 'true' || value === 'false') return value === 'true'
  const number = Number(value)
  if (/^-?\d+$/.test(value) && Number.isSafeInteger(number)) return number
  throw new UsageError(`"${text}": after := comes a whole number, true or false`)
}

function withoutDuplicates(
  parameters: readonly [string, ParameterValue][],
): Record<string, ParameterValue> {
  const byKey = new Map(parameters)
  if (byKey.size === parameters.length) return Object.fromEntries(byKey)
  throw new UsageError('a parameter is given twice')
}
