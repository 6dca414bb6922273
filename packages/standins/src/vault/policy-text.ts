import { z } from 'zod'

import { VaultRefusal } from './refusal.ts'

const CAPABILITIES = [
  'create',
  'read',
  'update',
  'delete',
  'list',
  'patch',
  'sudo',
  'deny',
  'root',
] as const

export type Capability = (typeof CAPABILITIES)[number]

/** Path pattern to what it allows. */
export type PolicyRules = Readonly<Record<string, readonly Capability[]>>

const jsonPolicySchema = z.object({
  path: z.record(z.string(), z.object({ capabilities: z.array(z.enum(CAPABILITIES)) })),
})

/**
 * Reads a policy in JSON, or in the part of HCL that path blocks with nothing but capabilities
 * need. Throws Vault's 400.
 */
export function parsePolicy(text: string): PolicyRules {
  const parsed = jsonPolicySchema.safeParse(fromJson(text) ?? fromHcl(text))
  if (!parsed.success) throw new VaultRefusal(400, 'failed to parse policy')
  return Object.fromEntries(
    Object.entries(parsed.data.path).map(([path, { capabilities }]) => [path, capabilities]),
  )
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const COMMENT = /(?:#|\/\/)[^\n]*$/gm
const BLOCK = /path\s+"([^"]+)"\s*\{\s*capabilities\s*=\s*(\[[^\]]*\])\s*\}/g

function fromHcl(text: string): unknown {
  const bare = text.replaceAll(COMMENT, '')
  const blocks = [...bare.matchAll(BLOCK)]
  const understoodAll = bare.replaceAll(BLOCK, '').trim() === ''
  if (!understoodAll || blocks.length === 0) return undefined
  const path = blocks.map(([, pattern = '', list = '']) => [
    pattern,
    { capabilities: fromJson(list.replace(/,\s*\]$/, ']')) },
  ])
  return { path: Object.fromEntries(path) as unknown }
}
