import { z } from 'zod'

import type { Route } from './call.ts'
import { VaultRefusal } from './refusal.ts'

export type KvData = Readonly<Record<string, unknown>>

interface Version {
  readonly data: KvData
  readonly number: number
  readonly createdAt: Date
}

const writeSchema = z.object({ data: z.record(z.string(), z.unknown()) })

/** One KV version 2 mount: `<mount>/data/*` and `<mount>/metadata/*`, the newest version only. */
export function kvRoutes(
  mount: string,
  seed: Readonly<Record<string, KvData>>,
  now: () => Date,
): readonly Route[] {
  const secrets = new Map<string, Version>()
  const put = (path: string, data: KvData): Version => {
    const version = { data, number: (secrets.get(path)?.number ?? 0) + 1, createdAt: now() }
    secrets.set(path, version)
    return version
  }
  for (const [path, data] of Object.entries(seed)) put(path, data)

  const at = (kind: string) => new RegExp(`^${mount}/${kind}(?:/(.+))?$`)
  return [
    {
      pattern: at('data'),
      operation: 'read',
      handle: (_call, [path = '']) => {
        const found = secrets.get(path)
        if (found === undefined) throw new VaultRefusal(404)
        return { data: { data: found.data, metadata: described(found) } }
      },
    },
    {
      pattern: at('data'),
      operation: 'write',
      exists: (path) => secrets.has(path.slice(`${mount}/data/`.length)),
      handle: ({ body }, [path = '']) => ({
        data: described(put(path, writeSchema.parse(body).data)),
      }),
    },
    {
      pattern: at('data'),
      operation: 'delete',
      handle: (_call, [path = '']) => {
        secrets.delete(path)
        return {}
      },
    },
    {
      pattern: at('metadata'),
      operation: 'list',
      handle: (_call, [folder = '']) => {
        const keys = childrenOf(folder === '' ? '' : `${folder}/`, [...secrets.keys()])
        if (keys.length === 0) throw new VaultRefusal(404)
        return { data: { keys } }
      },
    },
  ]
}

function childrenOf(prefix: string, paths: readonly string[]): readonly string[] {
  const below = paths.filter((path) => path.startsWith(prefix))
  const keys = below.map((path) => path.slice(prefix.length).replace(/\/.*$/s, '/'))
  return [...new Set(keys)].sort()
}

function described({ number, createdAt }: Version) {
  const unused = { custom_metadata: null, deletion_time: '', destroyed: false }
  return { created_time: createdAt, ...unused, version: number }
}
