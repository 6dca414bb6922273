import type { z } from 'zod'

import { UnexpectedAnswerError } from './client-errors.ts'

/** The data of each server-sent event, parsed. Comments (heartbeats) and broken tails are skipped. */
export async function* eventsOf<Schema extends z.ZodType>(
  response: Response,
  schema: Schema,
): AsyncGenerator<z.output<Schema>> {
  for await (const block of blocksOf(response)) {
    const data = block
      .split('\n')
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice('data:'.length).trimStart())
    if (data.length === 0) continue
    const parsed = schema.safeParse(jsonOf(data.join('\n')))
    if (!parsed.success) throw new UnexpectedAnswerError(response.status, 'an event does not parse')
    yield parsed.data
  }
}

/** An event ends with an empty line, so what follows the last one is half an event. */
async function* blocksOf(response: Response): AsyncGenerator<string> {
  if (!response.body) return
  const decoder = new TextDecoder()
  let buffered = ''
  const chunks: AsyncIterable<Uint8Array> = response.body
  for await (const chunk of chunks) {
    buffered += decoder.decode(chunk, { stream: true })
    const blocks = buffered.split('\n\n')
    buffered = blocks.pop() ?? ''
    yield* blocks
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
