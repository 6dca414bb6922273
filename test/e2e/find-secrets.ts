/** Something that must not be found anywhere but where it was delivered. */
export interface KnownSecret {
  readonly name: string
  readonly value: string
}

/** A place where secrets could have ended up, as text. */
export interface Sink {
  readonly name: string
  readonly text: string
}

/** `secret in sink (form)` for each that was found: as it is, in base64, base64url or hex. */
export function findSecrets(
  secrets: readonly KnownSecret[],
  sinks: readonly Sink[],
): readonly string[] {
  const needles = secrets.flatMap(({ name, value }) =>
    formsOf(value).map(([form, text]) => ({ name, form, text })),
  )
  return sinks.flatMap((sink) => {
    const haystack = sink.text.toLowerCase()
    return needles
      .filter(({ form, text }) =>
        form === 'hex' ? haystack.includes(text) : sink.text.includes(text),
      )
      .map(({ name, form }) => `${name} in ${sink.name} (${form})`)
  })
}

/**
 * Base64 of a longer text that holds the secret is found too: of each of the three ways in which
 * the secret can lie across groups of three bytes, what does not depend on its neighbours.
 */
function formsOf(value: string): readonly (readonly [form: string, text: string])[] {
  const bytes = Buffer.from(value)
  const shifted = [0, 1, 2].map((offset) => {
    const whole = bytes.subarray((3 - offset) % 3)
    return whole.subarray(0, whole.length - (whole.length % 3))
  })
  return [
    ['as it is', value],
    // In JSON, a line break is two characters.
    ['escaped', JSON.stringify(value).slice(1, -1)],
    ['hex', bytes.toString('hex')],
    ...shifted.flatMap((part) => [
      ['base64', part.toString('base64')] as const,
      ['base64url', part.toString('base64url')] as const,
    ]),
  ]
}
