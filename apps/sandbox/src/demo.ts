import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import pc from 'picocolors'

import { makeStory } from './demo/story.ts'
import { tellDemo } from './demo/tell.ts'
import { startStack } from './stack.ts'

const DEADLINE_MS = 90_000

const write = (text: string): void => void process.stdout.write(text)
const directory = mkdtempSync(join(tmpdir(), 'mayfly-demo-'))
const patience = setTimeout(() => {
  write(pc.red(`\nThe demo did not end within ${String(DEADLINE_MS / 1000)} s.\n`))
  process.exit(1)
}, DEADLINE_MS)

write(
  pc.bold('Mayfly') +
    ' lends an AI assistant one credential per action and proves that each one dies.\n',
)
const startedAt = performance.now()
const stack = await startStack({
  directory,
  progress: (step) => {
    write(pc.dim(`   starting ${step} …\n`))
  },
})
write(pc.dim(`   ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`))

const story = makeStory(write)
try {
  await tellDemo(stack, story)
} finally {
  await stack.stop()
  rmSync(directory, { recursive: true, force: true })
  clearTimeout(patience)
}
if (story.failures.length > 0) {
  write(pc.red(`\n${String(story.failures.length)} checks failed.\n`))
  process.exitCode = 1
} else {
  write(pc.green(`\nDone in ${((performance.now() - startedAt) / 1000).toFixed(1)} s. `))
  write('Next: npm start keeps it running.\n')
}
