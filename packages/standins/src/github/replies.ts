import type { Response } from 'express'

import type { Repository } from './installation.ts'

const DOCS = 'https://docs.github.com/rest'

/** GitHub's form of an error. */
export function refuse(response: Response, status: number, message: string): void {
  response.status(status).json({ message, documentation_url: DOCS, status: String(status) })
}

export function notFound(response: Response): void {
  refuse(response, 404, 'Not Found')
}

export function notAccessible(response: Response): void {
  refuse(response, 403, 'Resource not accessible by integration')
}

export function repositoryBody(repository: Repository): Record<string, unknown> {
  const { id, name, fullName } = repository
  const [login] = fullName.split('/')
  return {
    id,
    name,
    full_name: fullName,
    private: repository.private,
    owner: { login, type: 'Organization' },
    default_branch: 'main',
    url: `https://api.github.com/repos/${fullName}`,
    html_url: `https://github.com/${fullName}`,
  }
}
