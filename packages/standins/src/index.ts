export { type OidcEndpoint, type OidcFault } from './oidc/faults.ts'
export { type IssueOptions, type IssuedToken, type OidcIssuer } from './oidc/issuer.ts'
export {
  startOidcStandin,
  type OidcStandin,
  type OidcStandinKeys,
  type OidcStandinOptions,
} from './oidc/standin.ts'
