import Table from 'cli-table3'
import pc from 'picocolors'

export function judged(good: boolean, text: string): string {
  return good ? pc.green(text) : pc.red(text)
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const drawn = new Table({ head: [...head], style: { head: ['bold'], border: [], compact: true } })
  for (const row of rows) drawn.push([...row])
  return drawn.toString()
}
