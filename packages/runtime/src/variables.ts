import { Secret } from '@mayfly/core'
import { z } from 'zod'

import { readNetwork, type Network } from './network-guard.ts'

/** Zero asks the system for a free port. */
export const portVariable = z.coerce.number().int().min(0).max(65_535)

/** Seconds, milliseconds, sizes: whatever counts from one. */
export const countVariable = z.coerce.number().int().positive()

export const flagVariable = z.stringbool({
  truthy: ['true'],
  falsy: ['false'],
  case: 'sensitive',
  error: 'must be true or false',
})

export const databaseUrlVariable = z
  .string()
  .regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL')

export const redisUrlVariable = z.string().regex(/^rediss?:\/\//, 'must be a redis:// URL')

/** Networks in CIDR notation, with commas between them; empty for none. */
export const networksVariable = z.string().transform((text, context): readonly Network[] => {
  const parts = text.split(',').map((part) => part.trim())
  try {
    return parts.filter((part) => part !== '').map(readNetwork)
  } catch {
    context.addIssue('must be networks such as 10.1.0.0/16, with commas between them')
    return z.NEVER
  }
})

export const logLevelVariable = z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'])

export interface SealingKeyText {
  readonly id: string
  /** 32 bytes in base64. */
  readonly key: Secret
}

/** `id:base64[,id:base64…]`, each of 32 bytes. The first one seals, all of them open. */
export const sealingKeysVariable = z.string().transform((text, context): SealingKeyText[] => {
  const keys = text.split(',').map((entry) => {
    const [, id, key] = /^\s*([a-z0-9][a-z0-9-]{0,31}):([A-Za-z0-9+/]{43}=)\s*$/.exec(entry) ?? []
    return id === undefined || key === undefined ? null : { id, key: new Secret(key) }
  })
  const valid = keys.filter((key) => key !== null)
  const ids = new Set(valid.map(({ id }) => id))
  if (valid.length < keys.length || ids.size < valid.length) {
    context.addIssue('must be id:base64[,id:base64…], each of 32 bytes, ids different')
    return z.NEVER
  }
  return valid
})
