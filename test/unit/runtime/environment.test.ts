import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, test } from '@jest/globals'
import {
  ConfigurationError,
  countVariable,
  databaseUrlVariable,
  flagVariable,
  parseEnv,
  portVariable,
  sealingKeysVariable,
} from '@mayfly/runtime'
import { z } from 'zod'

const folder = mkdtempSync(join(tmpdir(), 'mayfly-env-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const schema = z.object({
  PORT: portVariable.default(8080),
  DATABASE_URL: databaseUrlVariable,
  SEALING_KEYS: sealingKeysVariable,
  POOL: countVariable.optional(),
  BEHIND_PROXY: flagVariable.default(false),
})

const key = Buffer.alloc(32, 7).toString('base64')
const good = { DATABASE_URL: 'postgres://h/db', SEALING_KEYS: `k1:${key}` }

const problemsOf = (env: Record<string, string>): string[] => {
  try {
    parseEnv(schema, env)
    return []
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return error.message.split('\n').slice(1)
  }
}

describe('the environment', () => {
  test('is parsed with defaults, and empty variables count as absent', () => {
    expect(parseEnv(schema, { ...good, PORT: '', POOL: '', OTHER: 'x' })).toMatchObject({
      PORT: 8080,
      DATABASE_URL: 'postgres://h/db',
      BEHIND_PROXY: false,
    })
    expect(parseEnv(schema, good)).not.toHaveProperty('POOL')
  })

  test('every problem is reported at once, by name and never by value', () => {
    const env = {
      PORT: '70000',
      DATABASE_URL: 'mysql://canary',
      SEALING_KEYS: `canary:${key.slice(4)}`,
      BEHIND_PROXY: 'canary',
      POOL: 'canary',
    }
    const problems = problemsOf(env)
    expect(problems.map((line) => line.trim().split(':')[0])).toEqual([
      'PORT',
      'DATABASE_URL',
      'SEALING_KEYS',
      'POOL',
      'BEHIND_PROXY',
    ])
    expect(problems.join()).not.toMatch(/canary|70000/)
  })

  test('a secret may come from a file, without its last newline', () => {
    const file = join(folder, 'url')
    writeFileSync(file, 'postgres://from-file/db\n')
    const rest = { ...good, DATABASE_URL: '' }
    expect(parseEnv(schema, { ...rest, DATABASE_URL_FILE: file }).DATABASE_URL).toBe(
      'postgres://from-file/db',
    )
  })

  test('a file that cannot be read, or a value given twice, is one problem', () => {
    const rest = { ...good, DATABASE_URL: '' }
    expect(problemsOf({ ...rest, DATABASE_URL_FILE: join(folder, 'absent') })).toEqual([
      '  DATABASE_URL: the file that DATABASE_URL_FILE names cannot be read',
    ])
    expect(problemsOf({ ...good, DATABASE_URL_FILE: '/x' })).toEqual([
      '  DATABASE_URL: given twice, as DATABASE_URL and as DATABASE_URL_FILE',
    ])
  })

  test('R117 sealing keys have an id, 32 bytes and no default', () => {
    const two = parseEnv(schema, { ...good, SEALING_KEYS: `k2:${key}, k1:${key}` }).SEALING_KEYS
    expect(two.map(({ id, key: secret }) => [id, secret.reveal()])).toEqual([
      ['k2', key],
      ['k1', key],
    ])
    const short = Buffer.alloc(16).toString('base64')
    for (const text of [key, `k1:${short}`, `k1:${key},`, `k1:${key},k1:${key}`, `K 1:${key}`]) {
      expect(problemsOf({ ...good, SEALING_KEYS: text })).toHaveLength(1)
    }
    expect(problemsOf({ DATABASE_URL: good.DATABASE_URL })).toHaveLength(1)
  })
})
