export {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from './embedded-postgres.ts'
export { makeAcmeTokens, type AcmeTokens } from './acme-tokens.ts'
export { startAcmeStandins, type AcmeStandins } from './acme-standins.ts'
export { startStack, type Stack, type StackOptions } from './stack.ts'
export { startApp, type AppOptions, type AppProcess } from './app-process.ts'
export { freePort } from './free-port.ts'
