import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { runCli } from '@mayfly/cli'
import { AUDIT_EVENTS } from '@mayfly/core'
import { PROBLEMS } from '@mayfly/protocol'

import { apiPage } from './api-page.ts'
import { cell, page, table } from './markdown.ts'

export interface ReferencePage {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
}

const ROOT = join(import.meta.dirname, '..')

/** The pages of docs/reference, from what the programs themselves are made of. */
export async function referencePages(): Promise<readonly ReferencePage[]> {
  const pages = {
    api: apiPage(),
    cli: await cliPage(),
    errors: errorsPage(),
    events: eventsPage(),
    configuration: configurationPage(readFileSync(join(ROOT, '.env.example'), 'utf8')),
  }
  return Object.entries(pages).map(([name, text]) => ({
    path: join(ROOT, 'docs', 'reference', `${name}.md`),
    text,
  }))
}

async function cliPage(): Promise<string> {
  const overview = await helpOf([])
  const commands = [...overview.matchAll(/^ {2}mayfly (\S+(?: \S+)*) {2,}(.+)$/gm)].map(
    ([, name = '', summary = '']) => ({ name, summary }),
  )
  const details = await Promise.all(
    commands.map(async ({ name }) => {
      const help = await helpOf(name.split(' '))
      return `## mayfly ${name}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`
    }),
  )
  const rows = commands.map(({ name, summary }) => [`\`mayfly ${name}\``, cell(summary)])
  return page('Commands', table(['Command', ''], rows), ...details)
}

async function helpOf(words: readonly string[]): Promise<string> {
  let text = ''
  const stdout = { write: (part: string) => (text += part), isTTY: false }
  const nothing = { write: () => undefined, isTTY: false }
  await runCli([...words, '--help'], {
    env: {},
    stdin: process.stdin,
    stdout,
    stderr: nothing,
    fetch,
  })
  return text
}

function errorsPage(): string {
  const rows = Object.entries(PROBLEMS).map(([code, { status, retryable, title, doc }]) => [
    `\`${code}\``,
    String(status),
    retryable ? 'yes' : 'no',
    cell(`${title}. ${doc}`),
  ])
  return page('Errors', table(['Code', 'Status', 'Retry', 'Meaning'], rows))
}

function eventsPage(): string {
  const rows = Object.entries(AUDIT_EVENTS).map(([type, meaning]) => [`\`${type}\``, cell(meaning)])
  return page('Audit events', table(['Event', 'When'], rows))
}

/** One table for each part of the file; the comment before variables says what they are for. */
function configurationPage(example: string): string {
  const sections = example
    .split(/^# ── /m)
    .slice(1)
    .map((part) => ({ title: /^(.+?) ─/.exec(part)?.[1] ?? '', rows: variableRows(part) }))
    .filter(({ rows }) => rows.length > 0)
    .map(({ title, rows }) => `## ${title}\n\n${table(['Variable', 'Example', ''], rows)}`)
  return page('Configuration', ...sections)
}

function variableRows(part: string): readonly string[][] {
  return part.split(/\n\s*\n/).flatMap((paragraph) => {
    const lines = paragraph.split('\n')
    const comment = lines.filter((line) => line.startsWith('# ')).map((line) => line.slice(2))
    const variables = [...paragraph.matchAll(/^([A-Z][A-Z0-9_]*)=(.*)$/gm)]
    return variables.map(([, name = '', preset = ''], index) => [
      `\`${name}\``,
      preset === '' ? '' : `\`${preset}\``,
      index === 0 ? cell(comment.join(' ')) : `see \`${variables[0]?.[1] ?? ''}\``,
    ])
  })
}
