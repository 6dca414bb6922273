import { describe, expect, test } from '@jest/globals'
import { MayflyError } from '@mayfly/core'
import { compilePolicySet, parseResourceDocuments } from '@mayfly/policy'

const webhook = (spec: object = {}) => ({
  apiVersion: 'mayfly.dev/v1',
  kind: 'Webhook',
  metadata: { name: 'soc' },
  spec: {
    url: 'https://hooks.example/mayfly',
    events: ['lease.revoked', 'containment.*', '*'],
    secret: 'env:SOC_SECRET',
    ...spec,
  },
})

function problemsOf(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    if (error instanceof MayflyError && error.code === 'policy_set_invalid') {
      return error.details['problems']
    }
    throw error
  }
  return []
}

describe('a Webhook document', () => {
  test('becomes a resource, with its secret as a reference', () => {
    expect(parseResourceDocuments([webhook()])).toEqual([
      {
        kind: 'Webhook',
        name: 'soc',
        url: 'https://hooks.example/mayfly',
        events: ['lease.revoked', 'containment.*', '*'],
        secret: 'env:SOC_SECRET',
      },
    ])
  })

  test.each([
    ['spec.secret', { secret: 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' }],
    ['spec.url', { url: 'hooks.example' }],
    ['spec.events', { events: [] }],
    ['spec.events.0', { events: ['lease'] }],
    ['spec.events.0', { events: ['*.revoked'] }],
    ['spec.events.0', { events: ['Lease.*'] }],
  ])('is refused at %s for %j', (path, spec) => {
    const problems = problemsOf(() => parseResourceDocuments([webhook(spec)]))
    expect(problems).toMatchObject([{ resource: 'Webhook/soc', path }])
    expect(JSON.stringify(problems)).not.toContain('whsec_')
  })

  test('is refused for an address that the installation does not send to', () => {
    const resources = parseResourceDocuments([webhook()])
    const source = { version: 1, digest: 'd', resources }
    const problems = problemsOf(() =>
      compilePolicySet({
        ...source,
        webhookProblems: ({ url }) => [{ path: 'spec.url', message: `${url} is elsewhere` }],
      }),
    )
    expect(problems).toEqual([
      {
        resource: 'Webhook/soc',
        path: 'spec.url',
        message: 'https://hooks.example/mayfly is elsewhere',
      },
    ])
    expect(problemsOf(() => compilePolicySet(source))).toEqual([])
  })
})
