import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'

export interface ActionsTokenService {
  /** The two variables that GitHub Actions gives to a job with `id-token: write`. */
  readonly environment: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/**
 * The service from which a GitHub Actions job gets its OIDC tokens, so that the sandbox's caller
 * gets a fresh one for each task as it would there.
 */
export async function startActionsTokenService(
  issue: () => Promise<string>,
): Promise<ActionsTokenService> {
  const requestToken = randomBytes(24).toString('base64url')
  const server = createServer(answerWith(issue, requestToken))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no loopback port is free')
  return {
    environment: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${String(address.port)}/token?api-version=1`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
    },
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function answerWith(issue: () => Promise<string>, requestToken: string): RequestListener {
  return (request, response) => {
    if (request.headers.authorization?.replace(/^bearer /i, '') !== requestToken) {
      response.writeHead(401).end()
      return
    }
    issue().then(
      (value) =>
        response
          .writeHead(200, { 'content-type': 'application/json', connection: 'close' })
          .end(JSON.stringify({ value })),
      () => response.writeHead(500).end(),
    )
  }
}
