import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'

import { loadConfig, startBroker, type Broker } from '@mayfly/broker'
import { CredentialText, makeClient, type Client, type OpenedTask } from '@mayfly/protocol'
import {
  startGithubStandin,
  startOidcStandin,
  type GithubStandin,
  type OidcStandin,
} from '@mayfly/standins'

export interface RunningBroker {
  readonly broker: Broker
  readonly client: Client
  readonly github: GithubStandin
  readonly oidc: OidcStandin
  workloadToken(): Promise<CredentialText>
  operatorToken(subject: string): Promise<CredentialText>
  /** A task of `web-ci` that may write to acme/web. */
  openTask(): Promise<OpenedTask>
  stop(): Promise<void>
}

export const LEASE = {
  template: 'github-feature-branch',
  actions: ['repo.write'],
  parameters: { repository: 'acme/web' },
}

/** A broker in this process, bootstrapped with `examples/acme`, with GitHub and issuers stood in for. */
export async function startRunningBroker(
  env: Readonly<Record<string, string>>,
): Promise<RunningBroker> {
  const oidc = await startOidcStandin({
    issuers: ['github-actions', 'gitlab', 'people', 'laptops'],
  })
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const privateKey = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const github = await startGithubStandin({
    apps: [
      {
        appId: 1,
        slug: 'mayfly',
        publicKey: privateKey,
        permissions: { contents: 'write', pull_requests: 'write' },
      },
    ],
    installations: [
      { id: 1001, appId: 1, account: 'acme', repositories: [{ id: 4201, name: 'web' }] },
    ],
  })
  const config = loadConfig({
    PORT: '0',
    PUBLIC_URL: 'http://mayfly.test',
    SEALING_KEYS: `k1:${randomBytes(32).toString('base64')}`,
    BOOTSTRAP_POLICIES: fileURLToPath(new URL('../../../examples/acme', import.meta.url)),
    PROVIDER_TIMEOUT_MS: '5000',
    LOG_LEVEL: 'silent',
    ...acmeEnvironment(oidc, github, privateKey),
    ...env,
  })
  const broker = await startBroker(config).catch(async (error: unknown) => {
    await Promise.all([oidc.stop(), github.stop()])
    throw error
  })
  const client = makeClient({ baseUrl: broker.url })

  const workloadToken = async (): Promise<CredentialText> => {
    const claims = { repository: 'acme/web', repository_id: '4201', event_name: 'push' }
    const token = await oidc
      .named('github-actions')
      .issue({ sub: 'repo:acme/web', aud: 'mayfly', ...claims }, { algorithm: 'RS256' })
    return new CredentialText(token)
  }

  return {
    broker,
    client,
    github,
    oidc,
    workloadToken,
    async operatorToken(subject) {
      const token = await oidc.named('people').issue({ sub: subject, aud: 'mayfly' })
      return new CredentialText(token)
    },
    async openTask() {
      return client.openTask(
        { intent: { reason: 'fix the flaky test' }, declarations: [LEASE] },
        { token: await workloadToken() },
      )
    },
    async stop() {
      await broker.stop()
      await Promise.all([oidc.stop(), github.stop()])
    },
  }
}

function acmeEnvironment(
  oidc: OidcStandin,
  github: GithubStandin,
  privateKey: string,
): Record<string, string> {
  const nowhere = 'http://127.0.0.1:9'
  return {
    ACME_GITHUB_ACTIONS_ISSUER: oidc.named('github-actions').issuer,
    ACME_GITLAB_ISSUER: oidc.named('gitlab').issuer,
    ACME_PEOPLE_ISSUER: oidc.named('people').issuer,
    ACME_LAPTOPS_BUNDLE_URL: oidc.named('laptops').spiffeBundleUrl.href,
    ACME_GITHUB_API_URL: github.url.origin,
    ACME_GITHUB_APP_ID: '1',
    ACME_GITHUB_APP_PRIVATE_KEY: privateKey,
    ACME_AWS_STS_ENDPOINT: nowhere,
    ACME_AWS_IAM_ENDPOINT: nowhere,
    ACME_AWS_MINTER_ACCESS_KEY_ID: 'minter',
    ACME_AWS_MINTER_SECRET_ACCESS_KEY: 'unused',
    ACME_AWS_REVOKER_ACCESS_KEY_ID: 'revoker',
    ACME_AWS_REVOKER_SECRET_ACCESS_KEY: 'unused',
    ACME_VAULT_ADDRESS: nowhere,
    ACME_VAULT_ROLE_ID: 'unused',
    ACME_VAULT_SECRET_ID: 'unused',
  }
}
