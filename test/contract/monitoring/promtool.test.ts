import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from '@jest/globals'

const folder = fileURLToPath(new URL('../../../deploy/monitoring', import.meta.url))
const promtool = process.env['PROMTOOL'] ?? 'promtool'
const present = spawnSync(promtool, ['--version']).status === 0
if (!present)
  process.stderr.write(
    'promtool is not on the path (Debian: prometheus): alert rules are not run\n',
  )

/** What it printed, when it was not content. */
function complaint(...args: string[]): string | null {
  const { status, stdout, stderr } = spawnSync(promtool, args, { cwd: folder, encoding: 'utf8' })
  return status === 0 ? null : stdout + stderr
}

const withPromtool = present ? describe : describe.skip

withPromtool('Prometheus', () => {
  test('takes the alert rules', () => {
    expect(complaint('check', 'rules', 'alerts.yaml')).toBeNull()
  })

  test('R96 R41 fires them when it should, and only then', () => {
    expect(complaint('test', 'rules', 'alerts.test.yaml')).toBeNull()
  })
})
