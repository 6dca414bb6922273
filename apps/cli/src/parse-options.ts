import { parseArgs, types, type ParseArgsConfig } from 'node:util'

import { UsageError } from './usage-error.ts'

type Options = NonNullable<ParseArgsConfig['options']>

interface Config<Named extends Options> {
  readonly args: string[]
  readonly options: Named
  readonly allowPositionals: boolean
  readonly strict: true
  readonly tokens: true
}

export type Parsed<Named extends Options> = ReturnType<typeof parseArgs<Config<Named>>>

/** Parses a command's options. An option that the command does not know is a {@link UsageError}. */
export function parseOptions<Named extends Options>(
  args: readonly string[],
  options: Named,
  more: { readonly allowPositionals?: boolean } = {},
): Parsed<Named> {
  try {
    return parseArgs({
      args: [...args],
      options,
      allowPositionals: more.allowPositionals ?? false,
      strict: true,
      tokens: true,
    })
  } catch (error) {
    if (!isParseError(error)) throw error
    throw new UsageError(error.message)
  }
}

/** Node has no class for these errors, only codes. */
function isParseError(error: unknown): error is Error {
  return (
    types.isNativeError(error) &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('ERR_PARSE_ARGS_')
  )
}
