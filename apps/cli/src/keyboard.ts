import type { ReadStream } from 'node:tty'

/** Takes the keyboard until the returned function gives it back. Ctrl-C then comes as a key, too. */
export function listenTo(stdin: ReadStream, heard: (key: string) => void): () => void {
  const hear = (chunk: Buffer): void => {
    for (const key of chunk.toString('utf8').split('')) heard(key)
  }
  stdin.setRawMode(true)
  stdin.on('data', hear)
  return () => {
    stdin.off('data', hear)
    stdin.setRawMode(false)
    stdin.pause()
  }
}
