import { createPublicKey, type KeyObject } from 'node:crypto'

import { makeContents, type RepositoryContents } from './contents.ts'
import { makeFaults, type Faults } from './faults.ts'
import {
  openInstallation,
  type GithubStandinApp,
  type GithubStandinInstallation,
  type Installation,
  type Repository,
} from './installation.ts'
import { makeTokens, type Tokens } from './tokens.ts'

/** Everything one stand-in remembers. */
export interface World {
  readonly clock: { now(): Date }
  readonly apps: readonly App[]
  readonly installations: readonly Installation[]
  readonly tokens: Tokens
  readonly faults: Faults
  readonly requestsPerHour: number
  contentsOf(repository: Repository): RepositoryContents
}

export interface App extends Omit<GithubStandinApp, 'publicKey'> {
  readonly key: KeyObject
}

export interface WorldOptions {
  readonly apps: readonly GithubStandinApp[]
  readonly installations: readonly GithubStandinInstallation[]
  readonly clock?: { now(): Date }
  /** GitHub's primary limit per installation. */
  readonly requestsPerHour?: number
}

export function makeWorld(options: WorldOptions): World {
  const { clock = { now: () => new Date() }, requestsPerHour = 5000 } = options
  const contents = new Map<number, RepositoryContents>()
  return {
    clock,
    apps: options.apps.map(({ publicKey, ...app }) => ({
      ...app,
      key: createPublicKey(publicKey),
    })),
    installations: options.installations.map((given) => {
      const app = options.apps.find(({ appId }) => appId === given.appId)
      if (!app)
        throw new TypeError(`installation ${String(given.id)} is of an App that is not there`)
      return openInstallation(given, app, clock.now())
    }),
    tokens: makeTokens(clock),
    faults: makeFaults(clock),
    requestsPerHour,
    contentsOf(repository) {
      const known = contents.get(repository.id) ?? makeContents(repository)
      contents.set(repository.id, known)
      return known
    },
  }
}

/** GitHub ignores case in account and repository names. */
export function findRepository(
  world: World,
  fullName: string,
): { readonly repository: Repository; readonly installation: Installation } | undefined {
  const wanted = fullName.toLowerCase()
  for (const installation of world.installations) {
    const repository = installation.repositories.find(
      (candidate) => candidate.fullName.toLowerCase() === wanted,
    )
    if (repository) return { repository, installation }
  }
  return undefined
}
