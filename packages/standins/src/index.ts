export { type AwsAccessKey, type AwsRole } from './aws/account.ts'
export { type AwsFault, type AwsFaults } from './aws/faults.ts'
export { type IssuedSession } from './aws/issued.ts'
export { signS3Request, type AwsKeys, type S3Call } from './aws/sign-s3.ts'
export { startAwsStandin, type AwsStandin, type AwsStandinOptions } from './aws/standin.ts'
export { type OidcEndpoint, type OidcFault } from './oidc/faults.ts'
export { type IssueOptions, type IssuedToken, type OidcIssuer } from './oidc/issuer.ts'
export {
  startOidcStandin,
  type OidcStandin,
  type OidcStandinKeys,
  type OidcStandinOptions,
} from './oidc/standin.ts'
export { type GithubEndpoint, type GithubFault, type GithubFaults } from './github/faults.ts'
export {
  type GithubPermissions,
  type GithubStandinApp,
  type GithubStandinInstallation,
  type GithubStandinRepository,
} from './github/installation.ts'
export {
  startGithubStandin,
  type GithubRequest,
  type GithubStandin,
  type GithubStandinOptions,
} from './github/standin.ts'
export { type GithubIssuedToken } from './github/tokens.ts'
export { type AppRole } from './vault/approle.ts'
export { type DatabaseRole } from './vault/database.ts'
export { type VaultFaultRequest } from './vault/faults.ts'
export { type VaultIssued } from './vault/ledger.ts'
export { type TokenRole } from './vault/mint-token.ts'
export { startVaultStandin, type VaultStandin, type VaultStandinOptions } from './vault/standin.ts'
