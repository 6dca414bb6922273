import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

import { expect, test } from '@jest/globals'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const DOCUMENT = 'docs/guarantees.md'

interface Guarantee {
  readonly id: string
  readonly parts: readonly string[]
  /** Test files, from the root of the repository. */
  readonly provenBy: readonly string[]
}

const guarantees = readFileSync(join(ROOT, DOCUMENT), 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((section): Guarantee => {
    const [, proofs = ''] = section.split('**Proven by**')
    const links = [...proofs.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link)
    return {
      id: /^G\d+/.exec(section)?.[0] ?? section,
      parts: [...section.matchAll(/^\*\*([A-Z][a-z ]+)\*\* \S/gm)].map(([, part = '']) => part),
      provenBy: links.map((link) => normalize(join(dirname(DOCUMENT), link))),
    }
  })

/** The ids that the names of a file's tests begin with. */
function idsIn(file: string): readonly string[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const names = text.matchAll(/(?:test|describe)(?:\.each)?\([^'"`]*['"`]((?:G\d+ )+)/g)
  return [...names].flatMap(([, ids = '']) => ids.trim().split(' '))
}

const testFiles = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => join('test', name))

test('guarantees are numbered in order, each with how, what not, and proofs', () => {
  expect(guarantees.map(({ id, parts }) => [id, parts])).toEqual(
    guarantees.map((_, index) => [
      `G${String(index + 1)}`,
      ['Kept by', 'Does not cover', 'Proven by'],
    ]),
  )
})

test('the tests that a guarantee names are those that bear its id, and all of them', () => {
  const bearing = new Map(testFiles.map((file) => [file, idsIn(file)]))
  const proofs = guarantees.map(({ id }) => [
    id,
    testFiles.filter((file) => bearing.get(file)?.includes(id)).sort(),
  ])
  expect(guarantees.map(({ id, provenBy }) => [id, [...provenBy].sort()])).toEqual(proofs)
  for (const { provenBy } of guarantees) expect(provenBy).not.toEqual([])
})

test('no test claims a guarantee that is not given', () => {
  const given = new Set(guarantees.map(({ id }) => id))
  const claimed = testFiles.flatMap((file) => idsIn(file).map((id) => `${id} in ${file}`))
  expect(claimed.filter((claim) => !given.has(claim.split(' ', 1)[0] ?? ''))).toEqual([])
})
