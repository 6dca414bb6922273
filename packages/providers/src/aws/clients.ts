import { IAMClient } from '@aws-sdk/client-iam'
import { STSClient } from '@aws-sdk/client-sts'
import type { Secret } from '@mayfly/core'

import { keepTransportCodes } from './transport-errors.ts'
import { isReference, type AwsIdentity, type AwsSettings } from './settings.ts'

/** Turns `env:NAME` or `file:/path` into what it refers to. */
export type ResolveSecret = (reference: string) => Secret | Promise<Secret>

/** Speaks as the minter. Never retries: a mint whose answer was lost must be dealt with, not repeated. */
export function makeStsClient(
  { region, stsEndpoint, minter }: AwsSettings,
  resolve: ResolveSecret,
): STSClient {
  const client = new STSClient({
    region,
    maxAttempts: 1,
    ...(stsEndpoint === undefined ? {} : { endpoint: stsEndpoint }),
    ...credentialsOf(minter, resolve),
  })
  keepTransportCodes(client)
  return client
}

/** Speaks as the revoker. Its calls are idempotent, so the SDK retries throttling and outages. */
export function makeIamClient(
  { region, iamEndpoint, revoker }: AwsSettings,
  resolve: ResolveSecret,
): IAMClient {
  const client = new IAMClient({
    region,
    maxAttempts: 3,
    retryMode: 'standard',
    ...(iamEndpoint === undefined ? {} : { endpoint: iamEndpoint }),
    ...credentialsOf(revoker, resolve),
  })
  keepTransportCodes(client)
  return client
}

function credentialsOf(identity: AwsIdentity, resolve: ResolveSecret) {
  if ('profile' in identity) return { profile: identity.profile }
  if ('from' in identity) return {}
  const { accessKeyId, secretAccessKey } = identity
  return {
    credentials: async () => ({
      accessKeyId: isReference(accessKeyId) ? await reveal(accessKeyId, resolve) : accessKeyId,
      secretAccessKey: await reveal(secretAccessKey, resolve),
    }),
  }
}

/** Fails as the SDK's own providers do, by which a call that was never sent is known. */
async function reveal(reference: string, resolve: ResolveSecret): Promise<string> {
  try {
    return (await resolve(reference)).reveal()
  } catch (cause) {
    throw Object.assign(new Error(`cannot read ${reference}`, { cause }), {
      name: 'CredentialsProviderError',
    })
  }
}
