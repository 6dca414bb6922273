import {
  startOidcStandin,
  type AwsStandin,
  type GithubStandin,
  type OidcStandin,
  type VaultStandin,
} from '@mayfly/standins'

import { MINTER_KEY_ID, REVOKER_KEY_ID, startAcmeAws } from './acme-aws.ts'
import { startAcmeGithub } from './acme-github.ts'
import { startAcmeVault, VAULT_ROLE_ID } from './acme-vault.ts'
import type { SandboxSecrets } from './sandbox-secrets.ts'
import type { StandinPorts } from './standin-ports.ts'

/** The world around Mayfly, as `examples/acme` describes it, on loopback. */
export interface AcmeStandins {
  readonly oidc: OidcStandin
  readonly github: GithubStandin
  readonly aws: AwsStandin
  readonly vault: VaultStandin
  /** What the `env:` references of `examples/acme` stand for. */
  readonly environment: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export async function startAcmeStandins(
  secrets: SandboxSecrets,
  ports: Partial<StandinPorts> = {},
): Promise<AcmeStandins> {
  const oidc = await startOidcStandin({
    issuers: ['github-actions', 'gitlab', 'people', 'laptops'],
    ...(secrets.oidcKeys ? { keys: secrets.oidcKeys } : {}),
    ...at(ports.oidc),
  })
  const github = await startAcmeGithub({ appKey: secrets.githubAppKey, ...at(ports.github) })
  const aws = await startAcmeAws({
    minter: secrets.awsMinterSecret,
    revoker: secrets.awsRevokerSecret,
    ...at(ports.aws),
  })
  const vault = await startAcmeVault({
    rootToken: secrets.vaultRootToken,
    brokerSecretId: secrets.vaultSecretId,
    ...at(ports.vault),
  })
  const standins = { oidc, github, aws, vault }
  return {
    ...standins,
    environment: environmentOf(standins, secrets),
    stop: async () => {
      await Promise.all(Object.values(standins).map((standin) => standin.stop()))
    },
  }
}

function at(port: number | undefined): { readonly port?: number } {
  return port === undefined ? {} : { port }
}

type Servers = Pick<AcmeStandins, 'oidc' | 'github' | 'aws' | 'vault'>

function environmentOf(
  { oidc, github, aws, vault }: Servers,
  secrets: SandboxSecrets,
): Record<string, string> {
  return {
    ACME_GITHUB_ACTIONS_ISSUER: oidc.named('github-actions').issuer,
    ACME_GITLAB_ISSUER: oidc.named('gitlab').issuer,
    ACME_PEOPLE_ISSUER: oidc.named('people').issuer,
    ACME_LAPTOPS_BUNDLE_URL: oidc.named('laptops').spiffeBundleUrl.href,
    ACME_GITHUB_API_URL: github.url.origin,
    ACME_GITHUB_APP_ID: '1',
    ACME_GITHUB_APP_PRIVATE_KEY: secrets.githubAppKey,
    ACME_AWS_STS_ENDPOINT: aws.url.origin,
    ACME_AWS_IAM_ENDPOINT: aws.url.origin,
    ACME_AWS_MINTER_ACCESS_KEY_ID: MINTER_KEY_ID,
    ACME_AWS_MINTER_SECRET_ACCESS_KEY: secrets.awsMinterSecret,
    ACME_AWS_REVOKER_ACCESS_KEY_ID: REVOKER_KEY_ID,
    ACME_AWS_REVOKER_SECRET_ACCESS_KEY: secrets.awsRevokerSecret,
    ACME_VAULT_ADDRESS: vault.url.origin,
    ACME_VAULT_ROLE_ID: VAULT_ROLE_ID,
    ACME_VAULT_SECRET_ID: secrets.vaultSecretId,
  }
}
