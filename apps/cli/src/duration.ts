import { UsageError } from './usage-error.ts'

const SECONDS_BY_UNIT: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600 }

/** Reads `90`, `90s`, `10m` or `1h` as seconds. */
export function parseDuration(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,9})([smh]?)$/.exec(text) ?? []
  const seconds = Number(digits) * (SECONDS_BY_UNIT[unit] ?? Number.NaN)
  if (seconds > 0) return seconds
  throw new UsageError(`"${text}" is not a duration: write 90s, 10m or 1h`)
}

/** The instant after a duration from now, as the API wants it. */
export function instantAfter(duration: string): string {
  return new Date(Date.now() + parseDuration(duration) * 1000).toISOString()
}
