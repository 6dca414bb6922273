import pc from 'picocolors'

/** Writes the demo as a story that a newcomer can follow. */
export interface Story {
  chapter(title: string): void
  say(text: string): void
  /** A check that the demo stands on: a wrong outcome makes the whole demo fail. */
  check(text: string, good: boolean): void
  readonly failures: readonly string[]
}

export function makeStory(write: (text: string) => void): Story {
  const failures: string[] = []
  let chapters = 0
  return {
    failures,
    chapter: (title) => {
      chapters += 1
      write(`\n${pc.bold(pc.cyan(`${String(chapters)}. ${title}`))}\n`)
    },
    say: (text) => {
      write(`   ${text}\n`)
    },
    check: (text, good) => {
      if (!good) failures.push(text)
      write(`   ${good ? pc.green('✓') : pc.red('✗ UNEXPECTED')} ${text}\n`)
    },
  }
}
