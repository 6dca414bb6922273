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
 * Those ports of the last start that are still free. A lease is revoked where it was minted and a
 * token is believed from its own issuer: at another address neither would be known again.
 */
export async function loadStandinPorts(path: string): Promise<Partial<StandinPorts>> {
  if (!existsSync(path)) return {}
  const last = Object.entries(schema.parse(JSON.parse(readFileSync(path, 'utf8'))))
  const free = await Promise.all(last.map(async ([, port]) => (await freePort(port)) === port))
  return Object.fromEntries(last.filter((_, index) => free[index]))
}

export function saveStandinPorts(
  path: string,
  standins: Readonly<Record<keyof StandinPorts, { readonly url: URL }>>,
): void {
  const { oidc, github, aws, vault } = standins
  const ports: StandinPorts = {
    oidc: Number(oidc.url.port),
    github: Number(github.url.port),
    aws: Number(aws.url.port),
    vault: Number(vault.url.port),
  }
  writeFileSync(path, `${JSON.stringify(ports)}\n`, { mode: 0o600 })
}
