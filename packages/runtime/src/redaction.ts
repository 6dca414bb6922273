/**
 * Shapes of credentials. The types keep secrets out of the log; this is for the text of somebody
 * else's error, where they may be all the same.
 */
const SHAPES = [
  // GitHub. Installation tokens have no fixed length, and dots since 2026.
  String.raw`gh[a-z]_[A-Za-z0-9._-]{36,}`,
  String.raw`github_pat_[A-Za-z0-9_]{22,}`,
  // AWS key ids, and session tokens by the prefixes of their encoded header.
  String.raw`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`,
  String.raw`\b(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9+/=]{20,}`,
  // Vault and OpenBao: service, batch and recovery tokens, old and new form.
  String.raw`\bhv[sbr]\.[A-Za-z0-9_-]{20,}`,
  String.raw`\b[sbr]\.[A-Za-z0-9]{24,}\b`,
  // JWTs: workload, operator and task tokens, GitHub App assertions.
  String.raw`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`,
  String.raw`-----BEGIN [A-Z ]*PRIVATE KEY-----[^"\\]*(?:\\n[^"\\]*)*`,
  // A password in a connection string.
  String.raw`(?<=:\/\/[^\s"/:@]{0,100}:)[^\s"/@]+(?=@)`,
]

/** Replaces everything that looks like a credential. */
export function makeRedact(): (text: string) => string {
  const pattern = new RegExp(SHAPES.join('|'), 'g')
  return (text) => text.replace(pattern, '[redacted]')
}
