export { makeAgentMatcher, type MatchAgent } from './agent-matcher.ts'
export { IdentityRefusal, refusalOf, type RefusalReason } from './identity-refusal.ts'
export { issuerProblems } from './issuer-problems.ts'
export { matchOperator } from './operator-matcher.ts'
export {
  makeSecurityEventVerifier,
  type SecurityEventVerifier,
  type SecurityEventVerifierOptions,
} from './security-events.ts'
export {
  makeSigningKeys,
  type SigningKey,
  type SigningKeys,
  type SigningKeysOptions,
  type SigningKeyStore,
  type StoredSigningKey,
} from './signing-keys.ts'
export {
  makeTaskTokens,
  type IssuedTaskToken,
  type TaskTokens,
  type TaskTokensOptions,
  type VerifiedTaskToken,
} from './task-tokens.ts'
export {
  makeTokenVerifier,
  type TokenVerifier,
  type TokenVerifierOptions,
} from './token-verifier.ts'
