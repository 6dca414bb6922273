import { signS3Request } from '@mayfly/standins'
import type { AcmeStandins } from '@mayfly/sandbox'

import type { ErrandName } from '../support/errands.ts'

type Credential = Readonly<Record<string, string>>

/** Whether the provider lets the credential do what the errand is for, and what it is not for. */
export interface Uses {
  allowed(credential: Credential): Promise<boolean>
  forbidden(credential: Credential): Promise<boolean>
}

export function usesOf({ github, aws, vault }: AcmeStandins): Record<ErrandName, Uses> {
  const works = async (request: Promise<Response>): Promise<boolean> => {
    const response = await request
    await response.arrayBuffer()
    return response.ok
  }
  const commit = (repository: string) => (credential: Credential) =>
    works(
      fetch(new URL(`/repos/acme/${repository}/contents/${crypto.randomUUID()}.txt`, github.url), {
        method: 'PUT',
        headers: { authorization: `Bearer ${part(credential, 'token')}`, ...JSON_TYPE },
        body: JSON.stringify({ message: 'e2e', content: btoa('e2e') }),
      }),
    )
  const upload = (key: string) => async (credential: Credential) => {
    const keys = {
      accessKeyId: part(credential, 'accessKeyId'),
      secretAccessKey: part(credential, 'secretAccessKey'),
      sessionToken: part(credential, 'sessionToken'),
    }
    const arn = `arn:aws:s3:::acme-artifacts/${key}`
    return works(fetch(await signS3Request(aws.url, keys, { method: 'PUT', arn, body: 'e2e' })))
  }
  const read = (path: string) => (credential: Credential) =>
    works(
      fetch(new URL(`/v1/kv/data/${path}`, vault.url), {
        headers: { 'x-vault-token': part(credential, 'token') },
      }),
    )
  const login = (credential: Credential) => {
    const basic = btoa(`${part(credential, 'username')}:${part(credential, 'password')}`)
    const headers = { authorization: `Basic ${basic}` }
    return works(fetch(new URL('/_standin/database/login', vault.url), { headers }))
  }
  return {
    github: { allowed: commit('payments'), forbidden: commit('web') },
    aws: {
      allowed: upload('payments/1.4.0/app.tgz'),
      forbidden: upload('web/1.4.0/app.tgz'),
    },
    vault: { allowed: read('payments/app'), forbidden: read('payments/ledger') },
    database: {
      allowed: login,
      // A user name and a password, and no way into Vault itself.
      forbidden: ({ password = '' }) => read('payments/app')({ token: password }),
    },
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }

function part(credential: Credential, name: string): string {
  const value = credential[name]
  if (value === undefined) throw new Error(`the credential has no ${name}`)
  return value
}
