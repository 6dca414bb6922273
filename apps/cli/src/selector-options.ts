import { selectorSchema, type SelectorBody } from '@mayfly/protocol'

import { UsageError } from './usage-error.ts'

/** The options that say which leases are meant. Those given must all match. */
export const SELECTOR_OPTIONS = {
  lease: { type: 'string' },
  task: { type: 'string' },
  agent: { type: 'string' },
  subject: { type: 'string' },
  owner: { type: 'string' },
  environment: { type: 'string' },
  issuer: { type: 'string' },
  template: { type: 'string' },
  'template-version': { type: 'string' },
  provider: { type: 'string' },
  repository: { type: 'string' },
  organisation: { type: 'string' },
  permission: { type: 'string' },
  'aws-account': { type: 'string' },
  'aws-role': { type: 'string' },
  'vault-path': { type: 'string' },
  'created-after': { type: 'string' },
  'created-before': { type: 'string' },
  everything: { type: 'boolean' },
} as const

export const SELECTOR_HELP = `Which leases (those given must all match):
      --repository OWNER/NAME   whatever reaches it, by name or by id
      --organisation NAME       a GitHub organisation
      --permission PERMISSION   contents:write (or more), s3:PutObject, s3:Put*, vault:update
      --aws-account ID, --aws-role ARN
      --vault-path PATH         it, what is below it, and prefixes that cover it
      --agent NAME, --task ID, --lease ID, --owner NAME, --issuer NAME, --subject ISSUER#SUB
      --template NAME, --template-version N, --provider NAME, --environment NAME
      --created-after INSTANT, --created-before INSTANT
                                2026-11-23T12:00:00Z
      --everything              all of them`

export type SelectorValues = { readonly [Name in keyof typeof SELECTOR_OPTIONS]?: string | boolean }

/** Reads the selector from a command line, and what is wrong with it before anything is sent. */
export function readSelector(values: SelectorValues): SelectorBody {
  const given = Object.keys(SELECTOR_OPTIONS).flatMap((option) => {
    const value = values[option as keyof SelectorValues] // its own keys
    if (value === undefined) return []
    const field = option.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
    return [[field, field === 'templateVersion' ? Number(value) : value] as const]
  })
  if (given.length === 0) throw new UsageError(`say which leases\n${SELECTOR_HELP}`)
  const parsed = selectorSchema.safeParse(Object.fromEntries(given))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const option = String(issue?.path[0]).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
  throw new UsageError(`--${option}: ${issue?.message ?? 'not valid'}`)
}

/** The selector as one line, for people. */
export function selectorText(selector: Readonly<Record<string, unknown>>): string {
  return Object.entries(selector)
    .map(([field, value]) => (value === true ? field : `${field} ${String(value)}`))
    .join(', ')
}
