import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

// Jest loads its global hooks without the source condition, so the server lives in a child that has
// it. The child stops when our end of its stdin closes, however we end.
const script = fileURLToPath(new URL('./serve-database.ts', import.meta.url))
const args = ['--conditions=@mayfly/source', '--import', 'tsx', script]
let child

export async function startDatabaseServer() {
  child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], env: childEnv() })
  for await (const line of createInterface({ input: child.stdout })) return line
  throw new Error('the test database did not start')
}

export async function stopDatabaseServer() {
  const ended = once(child, 'exit')
  child.stdin.end()
  await ended
}

/** Jest's own flags are for Jest. */
function childEnv() {
  const { NODE_OPTIONS: _jestFlags, ...env } = process.env
  return env
}
