import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { LEASE_REQUEST, POLICIES, type LeaseRequest } from './bench-world.ts'

const ACCOUNT = '123456789012'

/** An inline deny policy takes some 270 sessions, so many leases need many roles, as in life. */
export const AWS_ROLES = Array.from({ length: 10 }, (_, index) => `mayfly-bench-${String(index)}`)

const VAULT_REQUEST: LeaseRequest = {
  template: 'vault-bench',
  actions: ['secret.read'],
  parameters: {},
}

const AWS_REQUESTS: readonly LeaseRequest[] = AWS_ROLES.map((role) => ({
  template: role,
  actions: ['infra.change'],
  parameters: {},
}))

/** Of ten leases six are on GitHub, three on Vault, and one is on one of the AWS roles. */
export const MIX: readonly LeaseRequest[] = AWS_REQUESTS.flatMap((aws) => [
  ...Array<LeaseRequest>(6).fill(LEASE_REQUEST),
  ...Array<LeaseRequest>(3).fill(VAULT_REQUEST),
  aws,
])

/** The benchmark's policies, with a Vault and ten roles of an AWS account besides. */
export function writeMixedPolicies(folder: string): string {
  cpSync(POLICIES, folder, { recursive: true })
  const documents = [
    connection('vault-bench', 'vault', {
      url: 'env:BENCH_VAULT_URL',
      auth: { token: 'env:BENCH_VAULT_TOKEN' },
    }),
    connection('aws-bench', 'aws', {
      region: 'eu-west-1',
      stsEndpoint: 'env:BENCH_AWS_URL',
      iamEndpoint: 'env:BENCH_AWS_URL',
      allowedRoles: AWS_ROLES.map(arnOf),
      minter: key('MINTER'),
      revoker: key('REVOKER'),
      // The stand-in's IAM needs none; what AWS needs is waited for, not worked.
      propagationSeconds: 1,
    }),
    template('vault-bench', 'secret.read', {
      provider: 'vault',
      connection: 'vault-bench',
      resource: { type: 'SecretPath', id: 'kv/app' },
      actions: { 'secret.read': { paths: [{ path: 'kv/data/app', capabilities: ['read'] }] } },
    }),
    ...AWS_ROLES.map((role) =>
      template(role, 'infra.change', {
        provider: 'aws',
        connection: 'aws-bench',
        roleArn: arnOf(role),
        resource: { type: 'AwsRole', id: role },
        actions: {
          'infra.change': {
            statements: [{ actions: ['s3:PutObject'], resources: ['arn:aws:s3:::bench/*'] }],
          },
        },
      }),
    ),
  ]
  const text = documents.map((document) => JSON.stringify(document)).join('\n---\n')
  writeFileSync(join(folder, 'mixed.yaml'), text)
  return folder
}

export function arnOf(role: string): string {
  return `arn:aws:iam::${ACCOUNT}:role/${role}`
}

function key(name: string): object {
  return {
    accessKeyId: `env:BENCH_AWS_${name}_KEY_ID`,
    secretAccessKey: `env:BENCH_AWS_${name}_SECRET`,
  }
}

function connection(name: string, provider: string, settings: object): object {
  return {
    apiVersion: 'mayfly.dev/v1',
    kind: 'Connection',
    metadata: { name, environment: 'development' },
    spec: { provider, settings },
  }
}

function template(name: string, action: string, spec: object): object {
  return {
    apiVersion: 'mayfly.dev/v1',
    kind: 'ScopeTemplate',
    metadata: {
      name,
      owner: 'bench@acme.example',
      reviewBy: '2099-01-01',
      environment: 'development',
      risk: 'low',
    },
    spec: {
      ...spec,
      ttl: { default: '10m', max: '1h' },
      policy: `@id("bench") permit(principal is Mayfly::Agent, action == Mayfly::Action::"${action}", resource);`,
    },
  }
}
