import { Router } from 'express'
import { z } from 'zod'

import type { PullRequest } from './contents.ts'
import { installationOf } from './installation-authentication.ts'
import { refuse } from './replies.ts'
import { contentsOf, needs } from './repository-access.ts'
import type { World } from './world.ts'

const pullSchema = z.object({
  title: z.string().min(1),
  head: z.string(),
  base: z.string(),
  body: z.string().default(''),
})

/** Pull requests: opened and listed. */
export function pullRoutes(world: World): Router {
  const routes = Router()
  routes.get(
    '/repos/:owner/:repo/pulls',
    needs(world, { permission: 'pull_requests', level: 'read' }),
    (_request, response) => {
      response.json(contentsOf(response).pulls.map(pullBody))
    },
  )
  routes.post(
    '/repos/:owner/:repo/pulls',
    needs(world, { permission: 'pull_requests', level: 'write' }),
    (request, response) => {
      const asked = pullSchema.safeParse(request.body)
      const contents = contentsOf(response)
      if (
        !asked.success ||
        !contents.branch(asked.data.head) ||
        !contents.branch(asked.data.base)
      ) {
        refuse(response, 422, 'Validation Failed')
        return
      }
      const { appId } = installationOf(response)
      const slug = world.apps.find((app) => app.appId === appId)?.slug ?? 'app'
      const pull = { ...asked.data, number: contents.pulls.length + 1, author: `${slug}[bot]` }
      contents.pulls.push(pull)
      response.status(201).json(pullBody(pull))
    },
  )
  return routes
}

function pullBody({ number, title, body, head, base, author }: PullRequest) {
  return {
    number,
    title,
    body,
    state: 'open',
    head: { ref: head },
    base: { ref: base },
    user: { login: author, type: 'Bot' },
  }
}
