/** Permission names and levels as GitHub writes them: `{ contents: 'write' }`. */
export type GithubPermissions = Readonly<Record<string, string>>

/** A GitHub App that the stand-in knows. */
export interface GithubStandinApp {
  readonly appId: number
  readonly clientId?: string
  readonly slug: string
  /** PEM of the App's key. A private key will do: only its public half is used. */
  readonly publicKey: string
  readonly permissions: GithubPermissions
}

export interface GithubStandinRepository {
  readonly id: number
  readonly name: string
  /** True unless told otherwise. */
  readonly private?: boolean
}

/** An App installed on an account, with the repositories it was given. */
export interface GithubStandinInstallation {
  readonly id: number
  readonly appId: number
  readonly account: string
  readonly repositories: readonly GithubStandinRepository[]
  /** The App's own unless told otherwise. */
  readonly permissions?: GithubPermissions
  readonly suspended?: boolean
  readonly packages?: readonly { readonly name: string; readonly type: string }[]
}

/** An installation while the stand-in runs. */
export interface Installation {
  readonly id: number
  readonly appId: number
  readonly account: string
  readonly repositories: readonly Repository[]
  readonly permissions: GithubPermissions
  readonly packages: readonly { readonly name: string; readonly type: string }[]
  suspendedAt: Date | null
}

export interface Repository {
  readonly id: number
  readonly name: string
  readonly fullName: string
  readonly private: boolean
}

export function openInstallation(
  given: GithubStandinInstallation,
  app: GithubStandinApp,
  now: Date,
): Installation {
  return {
    id: given.id,
    appId: given.appId,
    account: given.account,
    repositories: given.repositories.map((repository) => ({
      id: repository.id,
      name: repository.name,
      fullName: `${given.account}/${repository.name}`,
      private: repository.private ?? true,
    })),
    permissions: { metadata: 'read', ...(given.permissions ?? app.permissions) },
    packages: given.packages ?? [],
    suspendedAt: given.suspended === true ? now : null,
  }
}

const LEVELS = ['read', 'write', 'admin']

/** Whether what is held covers what is wanted: `write` includes `read`, `admin` includes both. */
export function covers(held: string | undefined, wanted: string): boolean {
  return (
    held !== undefined && LEVELS.includes(wanted) && LEVELS.indexOf(held) >= LEVELS.indexOf(wanted)
  )
}
