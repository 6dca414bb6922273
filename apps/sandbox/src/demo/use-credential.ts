import type { CredentialText } from '@mayfly/protocol'
import { signS3Request } from '@mayfly/standins'

import type { AcmeStandins } from '../acme-standins.ts'

type Credential = Readonly<Record<string, CredentialText>>

/** One thing done with a credential, as a wrapper's child process would do it. */
interface Use {
  readonly what: string
  /** HTTP status of the provider's answer. */
  run(credential: Credential): Promise<number>
}

export interface ProviderUses {
  /** What the lease is for. */
  readonly allowed: Use
  /** What it must not be good for. */
  readonly forbidden: Use
}

function part(credential: Credential, name: string): string {
  const value = credential[name]
  if (!value) throw new Error(`the credential has no ${name}`)
  return value.reveal()
}

export function githubUses({ github }: AcmeStandins): ProviderUses {
  const put = (repository: string, path: string): Use => ({
    what: `PUT github.com/acme/${repository}/${path}`,
    run: async (credential) => {
      const url = new URL(`/repos/acme/${repository}/contents/${path}`, github.url)
      const response = await fetch(url, {
        method: 'PUT',
        headers: {
          authorization: `Bearer ${part(credential, 'token')}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ message: 'demo', content: btoa(`at ${String(Date.now())}`) }),
      })
      return response.status
    },
  })
  return { allowed: put('payments', 'fix.txt'), forbidden: put('web', 'fix.txt') }
}

export function awsUses({ aws }: AcmeStandins): ProviderUses {
  const put = (key: string): Use => ({
    what: `s3:PutObject acme-artifacts/${key}`,
    run: async (credential) => {
      const keys = {
        accessKeyId: part(credential, 'accessKeyId'),
        secretAccessKey: part(credential, 'secretAccessKey'),
        sessionToken: part(credential, 'sessionToken'),
      }
      const arn = `arn:aws:s3:::acme-artifacts/${key}`
      const request = await signS3Request(aws.url, keys, { method: 'PUT', arn, body: 'artifact' })
      return (await fetch(request)).status
    },
  })
  return { allowed: put('payments/1.4.0/app.tgz'), forbidden: put('web/1.4.0/app.tgz') }
}

export function vaultUses({ vault }: AcmeStandins): ProviderUses {
  const read = (path: string): Use => ({
    what: `read kv/${path}`,
    run: async (credential) => {
      const response = await fetch(new URL(`/v1/kv/data/${path}`, vault.url), {
        headers: { 'x-vault-token': part(credential, 'token') },
      })
      return response.status
    },
  })
  return { allowed: read('payments/app'), forbidden: read('web/app/session') }
}
