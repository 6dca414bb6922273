import type { CredentialText, LeaseBody } from '@mayfly/protocol'

type Provider = LeaseBody['provider']
type Variables = Readonly<Record<string, readonly string[]>>

/** Environment variables by part of the credential: what each provider's own tools read. */
const VARIABLES: Readonly<Record<Provider, Variables>> = {
  github: { token: ['GITHUB_TOKEN', 'GH_TOKEN'], username: [] },
  aws: {
    accessKeyId: ['AWS_ACCESS_KEY_ID'],
    secretAccessKey: ['AWS_SECRET_ACCESS_KEY'],
    sessionToken: ['AWS_SESSION_TOKEN'],
    region: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
  },
  vault: {
    token: ['VAULT_TOKEN'],
    address: ['VAULT_ADDR'],
    namespace: ['VAULT_NAMESPACE'],
    username: ['DB_USERNAME'],
    password: ['DB_PASSWORD'],
  },
}

/** Other ways in that the child's tools would prefer or fall back to. */
const AMBIENT: Readonly<Record<Provider, readonly string[]>> = {
  github: ['GITHUB_TOKEN', 'GH_TOKEN', 'GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN'],
  aws: [
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_SESSION_TOKEN',
    'AWS_SECURITY_TOKEN',
    'AWS_CREDENTIAL_EXPIRATION',
    'AWS_PROFILE',
    'AWS_DEFAULT_PROFILE',
    'AWS_ROLE_ARN',
    'AWS_ROLE_SESSION_NAME',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
  ],
  vault: ['VAULT_TOKEN', 'VAULT_NAMESPACE', 'BAO_TOKEN', 'DB_USERNAME', 'DB_PASSWORD'],
}

/** What only the wrapper may hold: with these, the child could ask for more by itself. */
const OURS = [
  'MAYFLY_TOKEN',
  'MAYFLY_TOKEN_FILE',
  'MAYFLY_TASK_TOKEN',
  'MAYFLY_TASK_TOKEN_FILE',
  'MAYFLY_OPERATOR_TOKEN',
  'MAYFLY_OPERATOR_TOKEN_FILE',
  'ACTIONS_ID_TOKEN_REQUEST_URL',
  'ACTIONS_ID_TOKEN_REQUEST_TOKEN',
]

export interface HeldLease {
  readonly lease: LeaseBody
  readonly credential: Readonly<Record<string, CredentialText>>
}

/** The credential as environment variables. Throws when a part of it has nowhere to go. */
export function variablesOf({ lease, credential }: HeldLease): Readonly<Record<string, string>> {
  const known = VARIABLES[lease.provider]
  const variables: [string, string][] = []
  for (const [part, value] of Object.entries(credential)) {
    const names = known[part]
    if (!names) throw new Error(`no environment variable is known for ${lease.provider} ${part}`)
    for (const name of names) variables.push([name, value.reveal()])
  }
  return Object.fromEntries(variables)
}

/** The environment of a child that holds these leases, and no other credential of their providers. */
export function childEnvironment(
  ambient: Readonly<Record<string, string | undefined>>,
  held: readonly HeldLease[],
): Record<string, string | undefined> {
  const removed = new Set([...OURS, ...held.flatMap(({ lease }) => AMBIENT[lease.provider])])
  const variables = held.flatMap((each) => Object.entries(variablesOf(each)))
  const twice = variables.find(([name], index) => variables.findIndex(([n]) => n === name) < index)
  if (twice) throw new Error(`two of the credentials would both be ${twice[0]}`)
  const kept = Object.entries(ambient).filter(([name]) => !removed.has(name))
  return Object.fromEntries([...kept, ...variables])
}
