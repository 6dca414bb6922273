import { startAwsStandin } from '@mayfly/standins'

import { arnOf, AWS_ROLES } from './mixed-policies.ts'

/** One AWS account with the benchmark's roles, in a process of its own. Prints its URL. */
const { MINTER_KEY_ID, MINTER_SECRET, REVOKER_KEY_ID, REVOKER_SECRET } = process.env
if (!MINTER_KEY_ID || !MINTER_SECRET || !REVOKER_KEY_ID || !REVOKER_SECRET)
  throw new Error('started by mixed-world.ts only')

const ACCOUNT = '123456789012'
const minter = `arn:aws:iam::${ACCOUNT}:user/minter`
const allow = (actions: readonly string[], resources: readonly string[]): object => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: actions, Resource: resources }],
})
const roles = AWS_ROLES.map(arnOf)

const { url } = await startAwsStandin({
  account: ACCOUNT,
  keepAlive: true,
  roles: AWS_ROLES.map((name) => ({
    name,
    trustedPrincipals: [minter],
    policies: { access: allow(['s3:*'], ['*']) },
  })),
  accessKeys: [
    {
      accessKeyId: MINTER_KEY_ID,
      secretAccessKey: MINTER_SECRET,
      principal: minter,
      policies: [allow(['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], roles)],
    },
    {
      accessKeyId: REVOKER_KEY_ID,
      secretAccessKey: REVOKER_SECRET,
      principal: `arn:aws:iam::${ACCOUNT}:user/revoker`,
      policies: [allow(['iam:GetRolePolicy', 'iam:PutRolePolicy', 'iam:DeleteRolePolicy'], roles)],
    },
  ],
})
process.stdout.write(`${url.origin}\n`)
