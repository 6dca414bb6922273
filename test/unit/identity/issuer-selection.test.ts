import type { Issuer } from '@mayfly/core'
import { issuerProblems } from '@mayfly/identity'
import { afterAll, beforeAll, expect, test } from '@jest/globals'

import {
  AUDIENCE,
  issuerOf,
  refusal,
  startIssuerWorld,
  unauthenticated,
  type IssuerWorld,
} from './issuer-world.ts'

const OPERATORS = 'https://mayfly.test/operators'

let world: IssuerWorld
let people: Issuer
beforeAll(async () => {
  world = await startIssuerWorld()
  people = issuerOf(world.standin, { name: 'people', tokenClass: 'operator', audience: OPERATORS })
})
afterAll(() => world.stop())

test("R13 an agent's token is refused on an operator's route, and the reverse", async () => {
  const agent = world.verifier.verify(await world.token(), 'operator', [world.issuer])
  expect(await refusal(agent)).toEqual(unauthenticated('class_wrong'))
  const person = world.verifier.verify(await world.token({ aud: OPERATORS }), 'workload', [people])
  expect(await refusal(person)).toEqual(unauthenticated('class_wrong'))
})

test('R13 one issuer of both classes is told apart by audience', async () => {
  const both = [world.issuer, people]
  const person = await world.token({ aud: OPERATORS })
  expect(await world.verifier.verify(person, 'operator', both)).toMatchObject({ issuer: 'people' })
  expect(await refusal(world.verifier.verify(person, 'workload', both))).toEqual(
    unauthenticated('class_wrong'),
  )
  const agent = await world.token()
  expect(await world.verifier.verify(agent, 'workload', both)).toMatchObject({
    issuer: 'github-actions',
  })
  const neither = await world.token({ aud: 'https://other.test' })
  expect(await refusal(world.verifier.verify(neither, 'workload', both))).toEqual(
    unauthenticated('audience_wrong'),
  )
})

test('R13 a token that both classes would accept is accepted by neither', async () => {
  const both = [world.issuer, { ...people, audience: AUDIENCE }]
  for (const tokenClass of ['workload', 'operator'] as const) {
    const attempt = world.verifier.verify(await world.token(), tokenClass, both)
    expect(await refusal(attempt)).toEqual(unauthenticated('issuer_ambiguous'))
  }
})

test('one issuer of both classes may be told apart by a required claim', async () => {
  const both = [
    { ...world.issuer, requiredClaims: { use: 'agent' } },
    { ...people, audience: AUDIENCE, requiredClaims: { use: 'person' } },
  ]
  const person = await world.token({ use: 'person' })
  expect(await world.verifier.verify(person, 'operator', both)).toMatchObject({ issuer: 'people' })
})

test('a policy set can be told what makes an Issuer unsafe', () => {
  expect(issuerProblems(world.issuer)).toEqual([])
  expect(
    issuerProblems({
      ...world.issuer,
      issuer: 'http://issuer.test',
      algorithms: ['HS256', 'ES256', 'none'],
      audience: '',
      maxTokenAgeSeconds: 0,
    }),
  ).toEqual([
    'the issuer is neither https nor loopback, so its keys cannot be discovered',
    'algorithms are not accepted: HS256, none',
    'the audience is missing',
    'the token age is not positive',
  ])
})
