import { expect, test } from '@jest/globals'
import { OPERATIONS } from '@mayfly/protocol'

import { brokerWorld } from './broker-world.ts'

interface Layer {
  readonly route?: {
    readonly path: string
    readonly methods?: Readonly<Record<string, boolean>>
    readonly stack: readonly { readonly method: string }[]
  }
  readonly handle?: { readonly stack?: readonly Layer[] }
}

/** `get /v1/leases/{leaseId}` for every route, in routers within routers too. */
function routesIn(layers: readonly Layer[]): string[] {
  return layers.flatMap(({ route, handle }) => {
    if (!route) return routesIn(handle?.stack ?? [])
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    return [...new Set(route.stack.map(({ method }) => `${method} ${path}`))]
  })
}

test('what the broker serves and what its OpenAPI document says are the same', async () => {
  const { app } = await brokerWorld()
  const served = routesIn(app.router.stack as unknown as readonly Layer[]) // no types for it
  expect(served.length).toBeGreaterThan(20)
  const described = OPERATIONS.map(({ method, path }) => `${method} ${path}`)
  expect(served.toSorted()).toEqual(described.toSorted())
})
