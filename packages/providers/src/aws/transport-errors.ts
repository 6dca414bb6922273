import { z } from 'zod'

const transportErrorSchema = z.object({
  name: z.string(),
  message: z.string(),
  code: z.string().optional(),
})

interface MiddlewareStack {
  add(
    middleware: <Args, Output>(
      next: (args: Args) => Promise<Output>,
    ) => (args: Args) => Promise<Output>,
    options: { readonly step: 'deserialize'; readonly priority: 'low'; readonly name: string },
  ): void
}

/**
 * Keeps the `code` of connection errors (`ECONNREFUSED`), which says whether anything was sent. The
 * SDK wraps what is no `Error` of its own realm and drops the code; a copy survives everywhere.
 */
export function keepTransportCodes(client: { readonly middlewareStack: MiddlewareStack }): void {
  client.middlewareStack.add(
    (next) => (args) =>
      next(args).catch((error: unknown) => {
        const parsed = transportErrorSchema.safeParse(error)
        if (error instanceof Error || !parsed.success) throw error
        throw Object.assign(new Error(parsed.data.message), parsed.data)
      }),
    { step: 'deserialize', priority: 'low', name: 'mayflyTransportCodes' },
  )
}
