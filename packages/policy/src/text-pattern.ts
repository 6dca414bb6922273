import { RE2JS } from 're2js'

type CompiledPattern =
  | { readonly ok: true; readonly matches: (text: string) => boolean }
  | { readonly ok: false; readonly problem: string }

/**
 * Compiles an RE2 expression that has to match a whole value. It is compiled alone first: `a)|(b`
 * is balanced only inside the anchors, and would escape them.
 */
export function compilePattern(expression: string): CompiledPattern {
  try {
    RE2JS.compile(expression)
    const anchored = RE2JS.compile(`^(?:${expression})$`)
    return { ok: true, matches: (text) => anchored.matches(text) }
  } catch {
    return { ok: false, problem: 'must be a regular expression in RE2 syntax' }
  }
}
