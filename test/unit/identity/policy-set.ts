import type {
  Agent,
  AgentIdentity,
  Issuer,
  PolicySet,
  RoleBinding,
  VerifiedToken,
} from '@mayfly/core'

export function agent(
  name: string,
  identity: Partial<AgentIdentity>,
  more: Partial<Agent> = {},
): Agent {
  return {
    kind: 'Agent',
    name,
    agentKind: 'claude-code',
    owner: 'ada@acme.example',
    team: 'payments',
    environment: 'development',
    quarantined: false,
    identities: [{ issuer: 'github-actions', claims: {}, ...identity }],
    ...more,
  }
}

export interface PolicySetParts {
  readonly agents?: readonly Agent[]
  readonly owners?: Readonly<Record<string, boolean>>
  readonly roleBindings?: readonly RoleBinding[]
}

/** A policy set of two issuers: `github-actions` for agents in development, `people` for operators. */
export function policySet(parts: PolicySetParts = {}): PolicySet {
  const { agents = [], owners = { 'ada@acme.example': true }, roleBindings = [] } = parts
  return {
    version: 1,
    digest: 'd',
    resources: [],
    issuers: [issuer('github-actions', 'workload'), issuer('people', 'operator')],
    agents,
    owners: new Map(
      Object.entries(owners).map(([name, active]) => [name, { kind: 'Owner', name, active }]),
    ),
    connections: new Map(),
    roleBindings,
    templates: new Map(),
  }
}

function issuer(name: string, tokenClass: Issuer['tokenClass']): Issuer {
  return {
    kind: 'Issuer',
    name,
    type: 'oidc',
    tokenClass,
    environments: ['development'],
    issuer: `https://${name}.test`,
    audience: 'mayfly',
    algorithms: ['ES256'],
    keys: { from: 'discovery' },
    maxTokenAgeSeconds: 600,
    claims: {},
    requiredClaims: {},
  }
}

export function verifiedToken(more: Partial<VerifiedToken> = {}): VerifiedToken {
  return {
    issuer: 'github-actions',
    subject: 'repo:acme/payments:ref:refs/heads/main',
    claims: {},
    tokenId: 'token-1',
    issuedAt: new Date('2026-11-23T12:00:00Z'),
    expiresAt: new Date('2026-11-23T12:05:00Z'),
    ...more,
  }
}
