import { createHash } from 'node:crypto'

import type { Repository } from './installation.ts'

/** What a repository holds: branches with files, and pull requests. In memory only. */
export interface RepositoryContents {
  branch(name: string): Branch | undefined
  /** Null when no commit has that id, `undefined` when the branch is there already. */
  createBranch(name: string, commit: string): Branch | null | undefined
  write(branch: Branch, file: { readonly path: string; readonly bytes: Buffer }): string
  readonly pulls: PullRequest[]
}

export interface Branch {
  readonly name: string
  commit: string
  files: ReadonlyMap<string, StoredFile>
}

export interface StoredFile {
  readonly bytes: Buffer
  readonly sha: string
}

export interface PullRequest {
  readonly number: number
  readonly title: string
  readonly body: string
  readonly head: string
  readonly base: string
  readonly author: string
}

export function makeContents({ fullName }: Repository): RepositoryContents {
  const branches = new Map<string, Branch>()
  const commits = new Map<string, ReadonlyMap<string, StoredFile>>()

  function commit(branch: Branch, files: ReadonlyMap<string, StoredFile>): string {
    const tree = [...files].map(([path, { sha }]) => `${path} ${sha}`).join('\n')
    branch.commit = sha1(`${branch.commit}\n${tree}`)
    branch.files = files
    commits.set(branch.commit, files)
    return branch.commit
  }

  const main: Branch = { name: 'main', commit: sha1(fullName), files: new Map() }
  const readme = Buffer.from(`# ${fullName}\n`)
  commit(main, new Map([['README.md', { bytes: readme, sha: blobSha(readme) }]]))
  branches.set(main.name, main)

  return {
    pulls: [],
    branch: (name) => branches.get(name),
    createBranch(name, from) {
      const files = commits.get(from)
      if (!files) return null
      if (branches.has(name)) return undefined
      const branch: Branch = { name, commit: from, files }
      branches.set(name, branch)
      return branch
    },
    write(branch, { path, bytes }) {
      const files = new Map(branch.files)
      files.set(path, { bytes, sha: blobSha(bytes) })
      return commit(branch, files)
    },
  }
}

/** Git's own id of a file's content. */
export function blobSha(bytes: Buffer): string {
  return createHash('sha1')
    .update(`blob ${String(bytes.length)}\0`)
    .update(bytes)
    .digest('hex')
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}
