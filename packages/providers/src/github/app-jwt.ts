import { MintError, type Secret } from '@mayfly/core'
import { createAppAuth } from '@octokit/auth-app'

/** Signs the JWT with which the App speaks for itself. The key can stay in a KMS behind it. */
export type SignAppJwt = () => Promise<string>

/**
 * Signs with a private key held here: PEM, as GitHub hands it out. Only App JWTs are asked of
 * Octokit; its installation tokens are cached and shared between callers, which would give two
 * tasks one credential (R63).
 */
export function makeAppJwtSigner(app: {
  readonly appId: string
  readonly privateKey: Secret
}): SignAppJwt {
  return async () => {
    try {
      const auth = createAppAuth({ appId: app.appId, privateKey: app.privateKey.reveal() })
      const { token } = await auth({ type: 'app' })
      return token
    } catch {
      // No cause: what a crypto library says about a key it could not read is not ours to log.
      throw new MintError('none', 'provider_rejected', UNUSABLE, {
        details: { reason: 'app_key_unusable' },
      })
    }
  }
}

const UNUSABLE =
  "the App's private key cannot be used: check that the connection's privateKey refers to the PEM file that GitHub generated"
