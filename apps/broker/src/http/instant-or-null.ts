export function instantOrNull(instant: Date | null): string | null {
  return instant?.toISOString() ?? null
}
