import { spawn, spawnSync } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'

import { until } from './until.ts'

/** A program on a terminal of its own, as a person sees and uses it. */
export interface PseudoTerminal {
  /** Everything that was shown, control sequences and all. */
  raw(): string
  /** Resolves when the text has been shown after everything that was waited for before. */
  shows(text: string): Promise<void>
  type(keys: string): void
  /** The exit status. */
  readonly ended: Promise<number>
}

/** Null where there is no `script` of util-linux, whose work the terminal is. */
export function pseudoTerminalsHere(): boolean {
  const { status, stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' })
  return status === 0 && stdout.includes('util-linux')
}

/** Words must be plain: they go through a shell. */
export function openOnTerminal(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): PseudoTerminal {
  const unsafe = words.find((word) => !/^[\w@%+=:,./-]+$/.test(word))
  if (unsafe !== undefined) throw new Error(`a shell would read ${unsafe} in its own way`)
  const child = spawn(
    'script',
    ['--quiet', '--flush', '--return', '-c', words.join(' '), '/dev/null'],
    {
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  const chunks: string[] = []
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
  const ended = new Promise<number>((resolve) => {
    child.once('close', (code) => {
      resolve(code ?? -1)
    })
  })
  let read = 0
  return {
    raw: () => chunks.join(''),
    async shows(text) {
      const shown = (): string => stripVTControlCharacters(chunks.join(''))
      await until(() => shown().includes(text, read)).catch((cause: unknown) => {
        throw new Error(`"${text}" was not shown, but: ${shown().slice(read)}`, { cause })
      })
      read = shown().indexOf(text, read) + text.length
    },
    type: (keys) => {
      child.stdin.write(keys)
    },
    ended,
  }
}
