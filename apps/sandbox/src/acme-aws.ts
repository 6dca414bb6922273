import { startAwsStandin, type AwsStandin } from '@mayfly/standins'

const ACME_ACCOUNT = '123456789012'
export const MINTER_KEY_ID = 'AKIAMAYFLYMINTER0001'
export const REVOKER_KEY_ID = 'AKIAMAYFLYREVOKER001'

const MINTER = `arn:aws:iam::${ACME_ACCOUNT}:user/mayfly-minter`
const REVOKER = `arn:aws:iam::${ACME_ACCOUNT}:user/mayfly-revoker`
const ROLES = `arn:aws:iam::${ACME_ACCOUNT}:role/mayfly-*`

interface AcmeAwsOptions {
  /** Secret access keys. */
  readonly minter: string
  readonly revoker: string
  readonly port?: number
}

/** Acme's AWS account: three roles that only the minter may assume and only the revoker may deny. */
export function startAcmeAws({ minter, revoker, ...at }: AcmeAwsOptions): Promise<AwsStandin> {
  return startAwsStandin({
    ...at,
    account: ACME_ACCOUNT,
    roles: [
      role(
        'mayfly-deploy',
        ['s3:*'],
        ['arn:aws:s3:::acme-artifacts', 'arn:aws:s3:::acme-artifacts/*'],
      ),
      role('mayfly-read', ['logs:*'], [`arn:aws:logs:eu-west-1:${ACME_ACCOUNT}:log-group:/acme/*`]),
      role('mayfly-publish', ['codeartifact:*', 'sts:GetServiceBearerToken'], ['*']),
    ],
    accessKeys: [
      {
        accessKeyId: MINTER_KEY_ID,
        secretAccessKey: minter,
        principal: MINTER,
        policies: [allow(['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], [ROLES])],
      },
      {
        accessKeyId: REVOKER_KEY_ID,
        secretAccessKey: revoker,
        principal: REVOKER,
        policies: [
          allow(['iam:GetRolePolicy', 'iam:PutRolePolicy', 'iam:DeleteRolePolicy'], [ROLES]),
        ],
      },
    ],
  })
}

function role(name: string, actions: readonly string[], resources: readonly string[]) {
  return { name, trustedPrincipals: [MINTER], policies: { access: allow(actions, resources) } }
}

function allow(actions: readonly string[], resources: readonly string[]) {
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: actions, Resource: resources }],
  }
}
