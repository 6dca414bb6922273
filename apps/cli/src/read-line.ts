import type { Terminal } from './terminal.ts'

/** One line of standard input, without its end; what there is of it when input ends first. */
export async function readLine({ stdin }: Pick<Terminal, 'stdin'>): Promise<string> {
  let text = ''
  for await (const chunk of stdin) {
    text += Buffer.from(chunk).toString('utf8')
    if (text.includes('\n')) break
  }
  return (text.split('\n')[0] ?? '').trim()
}
