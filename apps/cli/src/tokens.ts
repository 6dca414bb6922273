import { readFile } from 'node:fs/promises'

import { CredentialText } from '@mayfly/protocol'

import { githubActionsToken } from './github-actions.ts'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

/** Tokens come from the environment or a file: a command line is visible to every process. */
export const TOKEN_OPTIONS = { 'token-file': { type: 'string' } } as const

export const TASK_TOKEN_OPTIONS = { 'task-token-file': { type: 'string' } } as const

/** What proves who is calling. Read anew each time: files are renewed by whoever writes them. */
export async function workloadToken(
  terminal: Terminal,
  file: string | undefined,
): Promise<CredentialText> {
  const token =
    (await fromFileOrEnvironment(terminal, 'MAYFLY_TOKEN', file)) ??
    (await githubActionsToken(terminal))
  if (token) return token
  throw new UsageError(
    'no workload token: set MAYFLY_TOKEN or MAYFLY_TOKEN_FILE, or name a file with --token-file',
  )
}

export async function operatorToken(
  terminal: Terminal,
  file: string | undefined,
): Promise<CredentialText> {
  const token = await fromFileOrEnvironment(terminal, 'MAYFLY_OPERATOR_TOKEN', file)
  if (token) return token
  throw new UsageError(
    'no operator token: set MAYFLY_OPERATOR_TOKEN or MAYFLY_OPERATOR_TOKEN_FILE, or name a file with --token-file',
  )
}

/** The token of a task that was opened before, or `null`. */
export function taskToken(
  terminal: Terminal,
  file: string | undefined,
): Promise<CredentialText | null> {
  return fromFileOrEnvironment(terminal, 'MAYFLY_TASK_TOKEN', file)
}

export async function requiredTaskToken(
  terminal: Terminal,
  file: string | undefined,
): Promise<CredentialText> {
  const token = await taskToken(terminal, file)
  if (token) return token
  throw new UsageError(
    'no task: open one with `mayfly task open`, then set MAYFLY_TASK_TOKEN or MAYFLY_TASK_TOKEN_FILE, or name a file with --task-token-file',
  )
}

/** For the commands that take either: an operator sees everything, a task only what is its own. */
export async function operatorOrTaskToken(
  terminal: Terminal,
  files: { readonly 'token-file'?: string; readonly 'task-token-file'?: string },
): Promise<CredentialText> {
  const operator = await fromFileOrEnvironment(
    terminal,
    'MAYFLY_OPERATOR_TOKEN',
    files['token-file'],
  )
  const token = operator ?? (await taskToken(terminal, files['task-token-file']))
  if (token) return token
  throw new UsageError('no token: set MAYFLY_OPERATOR_TOKEN, or MAYFLY_TASK_TOKEN inside a task')
}

async function fromFileOrEnvironment(
  { env }: Terminal,
  name: string,
  file: string | undefined,
): Promise<CredentialText | null> {
  if (file !== undefined) return fromFile(file)
  const value = env[name]
  if (value !== undefined && value !== '') return new CredentialText(value.trim())
  const path = env[`${name}_FILE`]
  return path === undefined || path === '' ? null : fromFile(path)
}

async function fromFile(path: string): Promise<CredentialText> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new UsageError(`the token file ${path} cannot be read`)
  })
  if (text.trim() === '') throw new UsageError(`the token file ${path} is empty`)
  return new CredentialText(text.trim())
}
