import { existsSync, readFileSync, writeFileSync } from 'node:fs'

import { z } from 'zod'

import { freePort } from './free-port.ts'

const schema = z.strictObject({
  oidc: z.int(),
  github: z.int(),
  aws: z.int(),
  vault: z.int(),
})

export type StandinPorts = Readonly<z.infer<typeof schema>>

/**
 * The ports of the last start, where they are still free. A lease is revoked where it was minted
 * and a token is believed from its own issuer: at another address neither would be known again.
 */
export async function chooseStandinPorts(path: string): Promise<StandinPorts> {
  const last = existsSync(path) ? schema.parse(JSON.parse(readFileSync(path, 'utf8'))) : null
  const ports = {
    oidc: await freePort(last?.oidc),
    github: await freePort(last?.github),
    aws: await freePort(last?.aws),
    vault: await freePort(last?.vault),
  }
  writeFileSync(path, `${JSON.stringify(ports)}\n`, { mode: 0o600 })
  return ports
}
