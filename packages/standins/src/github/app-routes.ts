import { Router, type Request, type Response } from 'express'
import { z } from 'zod'

import { appOf, asApp } from './app-authentication.ts'
import { widening } from './faults.ts'
import {
  covers,
  type GithubPermissions,
  type Installation,
  type Repository,
} from './installation.ts'
import { notFound, refuse, repositoryBody } from './replies.ts'
import type { TokenGrant } from './tokens.ts'
import type { World } from './world.ts'

const MAX_REPOSITORIES = 500

const mintSchema = z.object({
  repositories: z.array(z.string()).default([]),
  repository_ids: z.array(z.int()).default([]),
  permissions: z.record(z.string(), z.string()).default({}),
})

/** The endpoints that an App reaches with its JWT. */
export function appRoutes(world: World): Router {
  const routes = Router()
  routes.use('/app', asApp(world))

  routes.get('/app', (_request, response) => {
    const { appId, clientId, slug, permissions } = appOf(response)
    response.json({ id: appId, client_id: clientId, slug, name: slug, permissions })
  })
  routes.get('/app/installations', (_request, response) => {
    const { appId } = appOf(response)
    response.json(world.installations.filter((one) => one.appId === appId).map(installationBody))
  })
  routes.get('/app/installations/:id', (request, response) => {
    const installation = named(world, request, response)
    if (installation) response.json(installationBody(installation))
  })
  routes.put('/app/installations/:id/suspended', (request, response) => {
    suspend(world, request, response)
  })
  routes.delete('/app/installations/:id/suspended', (request, response) => {
    suspend(world, request, response)
  })
  routes.post('/app/installations/:id/access_tokens', (request, response) => {
    mint(world, request, response)
  })
  return routes
}

function named(world: World, request: Request, response: Response): Installation | undefined {
  const installation = world.installations.find(
    ({ id, appId }) => String(id) === request.params['id'] && appId === appOf(response).appId,
  )
  if (!installation) notFound(response)
  return installation
}

function suspend(world: World, request: Request, response: Response): void {
  const installation = named(world, request, response)
  if (!installation) return
  installation.suspendedAt = request.method === 'PUT' ? world.clock.now() : null
  response.status(204).end()
}

function mint(world: World, request: Request, response: Response): void {
  const installation = named(world, request, response)
  if (!installation) return
  if (installation.suspendedAt !== null) {
    refuse(response, 403, 'This installation has been suspended')
    return
  }
  const asked = mintSchema.safeParse(request.body ?? {})
  if (!asked.success) {
    refuse(response, 422, 'Invalid request.')
    return
  }
  const grant = grantFor(installation, asked.data)
  if (typeof grant === 'string') {
    refuse(response, 422, grant)
    return
  }
  const token = world.tokens.issue(widened(grant, installation, response))
  response.status(201).json({
    token: token.token,
    expires_at: token.expiresAt.toISOString().replace('.000Z', 'Z'),
    permissions: token.permissions,
    repository_selection: token.repositorySelection,
    ...(token.repositorySelection === 'selected' && {
      repositories: installation.repositories
        .filter(({ id }) => token.repositoryIds.includes(id))
        .map(repositoryBody),
    }),
  })
}

/** A grant, or GitHub's words for why not. As on GitHub, what is left out means everything. */
function grantFor(
  installation: Installation,
  asked: z.output<typeof mintSchema>,
): TokenGrant | string {
  const wanted = [...asked.repositories, ...asked.repository_ids]
  if (wanted.length > MAX_REPOSITORIES)
    return `Only ${String(MAX_REPOSITORIES)} repositories can be listed.`
  const chosen = wanted.map((one) => findIn(installation, one))
  if (chosen.includes(undefined))
    return 'There is at least one repository that does not exist or is not accessible to the parent installation.'
  const missing = Object.entries(asked.permissions).some(
    ([name, level]) => !covers(installation.permissions[name], level),
  )
  if (missing) return 'The permissions requested are not granted to this installation.'

  const everything = wanted.length === 0
  const permissions =
    Object.keys(asked.permissions).length === 0 ? installation.permissions : asked.permissions
  return {
    appId: installation.appId,
    installationId: installation.id,
    account: installation.account,
    permissions: { metadata: 'read', ...permissions },
    repositorySelection: everything ? 'all' : 'selected',
    repositories: everything
      ? installation.repositories
      : installation.repositories.filter((repository) => chosen.includes(repository)),
  }
}

function findIn(installation: Installation, wanted: string | number): Repository | undefined {
  return installation.repositories.find(
    ({ id, name }) =>
      id === wanted || (typeof wanted === 'string' && name.toLowerCase() === wanted.toLowerCase()),
  )
}

function widened(grant: TokenGrant, installation: Installation, response: Response): TokenGrant {
  const fault = widening(response)
  if (!fault) return grant
  const permissions: GithubPermissions = { ...grant.permissions, ...fault.permissions }
  if (!fault.everyRepository) return { ...grant, permissions }
  return {
    ...grant,
    permissions,
    repositorySelection: 'all',
    repositories: installation.repositories,
  }
}

function installationBody(installation: Installation): Record<string, unknown> {
  return {
    id: installation.id,
    app_id: installation.appId,
    account: { login: installation.account, type: 'Organization' },
    target_type: 'Organization',
    permissions: installation.permissions,
    repository_selection: 'selected',
    suspended_at: installation.suspendedAt?.toISOString() ?? null,
  }
}
