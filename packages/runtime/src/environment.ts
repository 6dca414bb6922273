import { readFileSync } from 'node:fs'

import type { z } from 'zod'

export type Environment = Readonly<Record<string, string | undefined>>

/** The configuration is wrong. The message names variables, never their values. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/**
 * Parses the environment once, at start-up: `NAME`, or the content of the file that `NAME_FILE`
 * names (Docker and Kubernetes secrets). Reports every problem together, and makes no network call.
 */
export function parseEnv<Schema extends z.ZodObject>(
  schema: Schema,
  env: Environment,
): z.output<Schema> {
  const { values, unread } = read(Object.keys(schema.shape), env)
  const parsed = schema.safeParse(values)
  if (parsed.success && unread.size === 0) return parsed.data

  const invalid = (parsed.error?.issues ?? [])
    .map(({ path, message }) => ({ name: path.join('.'), message }))
    .filter(({ name }) => !unread.has(name))
    .map(({ name, message }) => (name === '' ? message : `${name}: ${message}`))
  const problems = [...[...unread].map(([name, why]) => `${name}: ${why}`), ...invalid]
  throw new ConfigurationError(`invalid configuration\n${problems.map((p) => `  ${p}`).join('\n')}`)
}

interface Read {
  readonly values: Readonly<Record<string, string>>
  /** By name: why there is no value although somebody meant to give one. */
  readonly unread: ReadonlyMap<string, string>
}

function read(names: readonly string[], env: Environment): Read {
  const values: Record<string, string> = {}
  const unread = new Map<string, string>()
  for (const name of names) {
    const value = valueOf(name, env)
    if (typeof value === 'object') unread.set(name, value.problem)
    else if (value !== undefined) values[name] = value
  }
  return { values, unread }
}

/** An empty variable counts as absent: that is how compose files and CI systems leave one out. */
function valueOf(name: string, env: Environment): string | undefined | { problem: string } {
  const plain = present(env[name])
  const file = present(env[`${name}_FILE`])
  if (file === undefined) return plain
  if (plain !== undefined) return { problem: `given twice, as ${name} and as ${name}_FILE` }
  try {
    return present(readFileSync(file, 'utf8').replace(/\r?\n$/, ''))
  } catch {
    // The system's own message would print the value of a variable.
    return { problem: `the file that ${name}_FILE names cannot be read` }
  }
}

function present(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}
