import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

import { expect, test } from '@jest/globals'
import { AUDIT_EVENTS } from '@mayfly/core'
import { OPERATIONS, PROBLEMS } from '@mayfly/protocol'

import { referencePages } from '../../../scripts/reference-pages.ts'

const pages = await referencePages()
const textOf = (name: string): string =>
  pages.find(({ path }) => basename(path) === name)?.text ?? ''

test.each(pages.map(({ path, text }) => [basename(path), path, text]))(
  'docs/reference/%s is what `npm run docs` writes',
  (_name, path, text) => {
    expect(readFileSync(path, 'utf8')).toBe(text)
  },
)

test('docs/reference has the pages that are written, and no others', async () => {
  const written = pages.map(({ path }) => basename(path)).toSorted()
  const [first] = pages
  expect((await readdir(dirname(first?.path ?? ''))).toSorted()).toEqual(written)
})

test('every route, error and event is on its page', () => {
  for (const { method, path } of OPERATIONS) {
    expect(textOf('api.md')).toContain(`## ${method.toUpperCase()} ${path}\n`)
  }
  for (const code of Object.keys(PROBLEMS)) expect(textOf('errors.md')).toContain(`| \`${code}\` |`)
  for (const type of Object.keys(AUDIT_EVENTS)) {
    expect(textOf('events.md')).toContain(`| \`${type}\` |`)
  }
})

test('every command is there with its help, and every variable with its example', () => {
  for (const command of ['run', 'task open', 'lease', 'contain', 'webhooks']) {
    expect(textOf('cli.md')).toMatch(new RegExp(`^## mayfly ${command}\n\n\`\`\`text\n.+`, 'm'))
  }
  const example = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8')
  const variables = [...example.matchAll(/^([A-Z][A-Z0-9_]*)=/gm)].map(([, name = '']) => name)
  expect(variables.length).toBeGreaterThan(20)
  for (const name of variables) expect(textOf('configuration.md')).toContain(`| \`${name}\` |`)
})

test('.env.example has every variable that broker and worker read', () => {
  const example = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8')
  const files = ['broker/src/config', 'worker/src/config', 'worker/src/webhook-config'].concat([
    'worker/src/canary-config',
  ])
  for (const file of files) {
    const source = readFileSync(new URL(`../../../apps/${file}.ts`, import.meta.url), 'utf8')
    const read = [...source.matchAll(/^ {2}([A-Z][A-Z0-9_]+): /gm)].map(([, name = '']) => name)
    expect(read.length).toBeGreaterThan(2)
    expect([file, read.filter((name) => !example.includes(`\n${name}=`))]).toEqual([file, []])
  }
})
