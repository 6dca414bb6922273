import type { OidcStandin } from '@mayfly/standins'

const AUDIENCE = 'mayfly'

/** Tokens that Acme's issuers would give to their workloads and people. */
export interface AcmeTokens {
  /** A GitHub Actions job of `acme/<repository>`. */
  githubActions(repository: 'web' | 'payments', claims?: Claims): Promise<string>
  /** An assistant on Alice's laptop, by SPIFFE. */
  laptop(session?: string): Promise<string>
  /** A GitLab pipeline of the data team. */
  gitlab(claims?: Claims): Promise<string>
  /** A person who holds an operator role. */
  person(role: 'platform' | 'responder' | 'auditor'): Promise<string>
}

type Claims = Readonly<Record<string, string | number>>

const REPOSITORY_IDS = { web: '4201', payments: '4202' } as const

export function makeAcmeTokens(oidc: OidcStandin): AcmeTokens {
  return {
    githubActions: (repository, claims = {}) =>
      oidc.named('github-actions').issue(
        {
          aud: AUDIENCE,
          sub: `repo:acme/${repository}:ref:refs/heads/main`,
          repository: `acme/${repository}`,
          repository_id: REPOSITORY_IDS[repository],
          repository_owner_id: '77',
          ref: 'refs/heads/main',
          event_name: 'push',
          job_workflow_ref: `acme/${repository}/.github/workflows/agent.yml@refs/heads/main`,
          run_id: '1',
          ...claims,
        },
        { algorithm: 'RS256', expiresInSeconds: 600 },
      ),
    laptop: (session = 'ws-1') =>
      oidc.named('laptops').issueSvid(`spiffe://laptops.acme.example/alice/${session}`, AUDIENCE, {
        expiresInSeconds: 600,
      }),
    gitlab: (claims = {}) =>
      oidc.named('gitlab').issue(
        {
          aud: AUDIENCE,
          sub: 'project_path:acme/data:ref_type:branch:ref:main',
          project_id: '77',
          namespace_id: '7',
          pipeline_source: 'push',
          ref_protected: 'true',
          ...claims,
        },
        { algorithm: 'RS256', expiresInSeconds: 600 },
      ),
    person: (role) =>
      oidc
        .named('people')
        .issue(
          { aud: AUDIENCE, sub: `${role}@acme.example` },
          { algorithm: 'ES256', expiresInSeconds: 3600 },
        ),
  }
}
