import { Router, type Request, type Response } from 'express'
import { z } from 'zod'

import { blobSha, type Branch } from './contents.ts'
import { installationOf, tokenOf } from './installation-authentication.ts'
import { covers } from './installation.ts'
import { notAccessible, notFound, refuse, repositoryBody } from './replies.ts'
import { contentsOf, needs, repositoryOf, restOf } from './repository-access.ts'
import type { World } from './world.ts'

const fileSchema = z.object({
  message: z.string().min(1),
  content: z.base64(),
  branch: z.string().default('main'),
  sha: z.string().optional(),
})
const refSchema = z.object({ ref: z.string().regex(/^refs\/heads\/.+/), sha: z.string() })

/** A few endpoints of GitHub's repositories: enough to see what a token can do. */
export function repositoryRoutes(world: World): Router {
  const read = (permission: string) => needs(world, { permission, level: 'read' })
  const write = (permission: string) => needs(world, { permission, level: 'write' })
  const routes = Router()

  routes.get('/repos/:owner/:repo', read('metadata'), (_request, response) => {
    response.json(repositoryBody(repositoryOf(response)))
  })
  routes.get('/repos/:owner/:repo/contents/*path', read('contents'), getFile)
  routes.put('/repos/:owner/:repo/contents/*path', write('contents'), putFile)
  routes.get('/repos/:owner/:repo/git/ref/heads/*path', read('contents'), (request, response) => {
    const branch = contentsOf(response).branch(restOf(request))
    if (branch) response.json(refBody(branch))
    else notFound(response)
  })
  routes.post('/repos/:owner/:repo/git/refs', write('contents'), createRef)
  routes.get('/orgs/:org/packages', (request, response) => {
    listPackages(request, response)
  })
  return routes
}

function getFile(request: Request, response: Response): void {
  const ref = typeof request.query['ref'] === 'string' ? request.query['ref'] : 'main'
  const path = restOf(request)
  const file = contentsOf(response).branch(ref)?.files.get(path)
  if (!file) {
    notFound(response)
    return
  }
  const content = file.bytes.toString('base64')
  response.json({ type: 'file', encoding: 'base64', path, sha: file.sha, content })
}

function putFile(request: Request, response: Response): void {
  const path = restOf(request)
  const asked = fileSchema.safeParse(request.body)
  if (!asked.success) {
    refuse(response, 422, 'Invalid request.')
    return
  }
  // GitHub keeps workflow files behind a permission of their own.
  const isWorkflow = path.startsWith('.github/workflows/')
  if (isWorkflow && !covers(tokenOf(response).permissions['workflows'], 'write')) {
    notAccessible(response)
    return
  }
  const contents = contentsOf(response)
  const branch = contents.branch(asked.data.branch)
  if (!branch) {
    refuse(response, 404, `Branch ${asked.data.branch} not found`)
    return
  }
  const before = branch.files.get(path)?.sha
  if (before !== asked.data.sha) {
    const status = asked.data.sha === undefined ? 422 : 409
    refuse(response, status, `${path} does not match ${String(asked.data.sha)}`)
    return
  }
  const bytes = Buffer.from(asked.data.content, 'base64')
  const commit = contents.write(branch, { path, bytes })
  response
    .status(before === undefined ? 201 : 200)
    .json({ content: { path, sha: blobSha(bytes) }, commit: { sha: commit } })
}

function createRef(request: Request, response: Response): void {
  const asked = refSchema.safeParse(request.body)
  if (!asked.success) {
    refuse(response, 422, 'Reference name is not valid')
    return
  }
  const name = asked.data.ref.replace('refs/heads/', '')
  const branch = contentsOf(response).createBranch(name, asked.data.sha)
  if (branch) response.status(201).json(refBody(branch))
  else refuse(response, 422, branch === null ? 'Object does not exist' : 'Reference already exists')
}

function refBody({ name, commit }: Branch): Record<string, unknown> {
  return { ref: `refs/heads/${name}`, object: { type: 'commit', sha: commit } }
}

function listPackages(request: Request, response: Response): void {
  response.set('x-accepted-github-permissions', 'packages=read')
  const installation = installationOf(response)
  if (request.params['org']?.toString().toLowerCase() !== installation.account.toLowerCase()) {
    notFound(response)
    return
  }
  if (!covers(tokenOf(response).permissions['packages'], 'read')) {
    notAccessible(response)
    return
  }
  response.json(installation.packages.map(({ name, type }) => ({ name, package_type: type })))
}
