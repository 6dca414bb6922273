import { randomBytes } from 'node:crypto'

import express, { type ErrorRequestHandler, type Express } from 'express'

import { listen } from '../listen.ts'
import { appRoutes } from './app-routes.ts'
import { controlRoutes } from './control-routes.ts'
import type { GithubFaults } from './faults.ts'
import { asInstallation } from './installation-authentication.ts'
import { installationRoutes } from './installation-routes.ts'
import { pullRoutes } from './pull-routes.ts'
import { notFound, refuse } from './replies.ts'
import { repositoryRoutes } from './repository-routes.ts'
import type { GithubIssuedToken } from './tokens.ts'
import { makeWorld, type World, type WorldOptions } from './world.ts'

export interface GithubStandinOptions extends WorldOptions {
  readonly port?: number
}

/** A request that the stand-in has had. */
export interface GithubRequest {
  readonly method: string
  readonly path: string
}

export interface GithubStandin {
  readonly url: URL
  readonly faults: GithubFaults
  /** Every token that it ever issued, oldest first. */
  issued(): readonly GithubIssuedToken[]
  /** Those that have not been revoked and not expired. A suspended installation's count as live. */
  live(now?: Date): readonly GithubIssuedToken[]
  /** Without those to its own `/_standin`. */
  requests(): readonly GithubRequest[]
  stop(): Promise<void>
}

/**
 * Starts a GitHub that behaves: it checks App JWTs, mints installation tokens in the form of 2026,
 * enforces repository and permission on what they do, and forgets a token that was revoked.
 */
export async function startGithubStandin(options: GithubStandinOptions): Promise<GithubStandin> {
  const world = makeWorld(options)
  const requests: GithubRequest[] = []
  const listening = await listen(makeApp(world, requests), { port: options.port })
  return {
    url: listening.url,
    faults: world.faults,
    issued: () => world.tokens.all(),
    live: (now = world.clock.now()) =>
      world.tokens.all().filter((token) => world.tokens.isLive(token, now)),
    requests: () => [...requests],
    stop: () => listening.stop(),
  }
}

function makeApp(world: World, requests: GithubRequest[]): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use(express.json())
  app.use(controlRoutes(world))
  app.use((request, response, next) => {
    requests.push({ method: request.method, path: request.path })
    response.set('x-github-request-id', randomBytes(8).toString('hex').toUpperCase())
    next()
  })
  app.use(world.faults.middleware)
  app.use(appRoutes(world))
  app.use(['/installation', '/repos', '/orgs'], asInstallation(world))
  app.use(installationRoutes(world), repositoryRoutes(world), pullRoutes(world))
  app.use((_request, response) => {
    notFound(response)
  })
  app.use(unreadable)
  return app
}

/** Express takes four parameters for the mark of an error handler. */
const unreadable: ErrorRequestHandler = (error, _request, response, next) => {
  if (error instanceof SyntaxError) refuse(response, 400, 'Problems parsing JSON')
  else next(error)
}
