import { z } from 'zod'

import { VaultRefusal } from './refusal.ts'

const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** `90`, `"90"`, `"90s"`, `"5m"`: a duration in Vault's forms, as seconds. */
export const duration = z.union([z.number(), z.string()]).transform((given) => {
  const [, digits, unit = ''] = /^(\d+)([smhd]?)$/.exec(String(given)) ?? []
  if (digits === undefined) {
    throw new VaultRefusal(400, `time: invalid duration "${String(given)}"`)
  }
  return Number(digits) * (UNIT_SECONDS[unit] ?? 1)
})
