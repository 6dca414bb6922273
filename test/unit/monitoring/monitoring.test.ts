import { readdirSync, readFileSync } from 'node:fs'

import { describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { z } from 'zod'

import { exportedMetrics, metricsIn } from './metric-names.ts'

const rulesSchema = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      rules: z.array(
        z.strictObject({
          alert: z.string().regex(/^Mayfly[A-Z][A-Za-z]+$/),
          expr: z.string(),
          for: z.string().optional(),
          labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
          annotations: z.strictObject({ summary: z.string(), runbook_url: z.string() }),
        }),
      ),
    }),
  ),
})

const dashboardSchema = z.object({
  uid: z.string(),
  panels: z.array(
    z.object({
      id: z.int(),
      title: z.string(),
      targets: z.array(z.object({ expr: z.string() })).optional(),
    }),
  ),
})

const read = (path: string): string =>
  readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const alerts = rulesSchema
  .parse(parse(read('deploy/monitoring/alerts.yaml')))
  .groups.flatMap(({ rules }) => rules)
const dashboard = dashboardSchema.parse(JSON.parse(read('deploy/monitoring/dashboard.json')))
const runbooks = readdirSync(new URL('../../../docs/runbooks', import.meta.url)).filter((name) =>
  name.startsWith('Mayfly'),
)

describe('alerts', () => {
  test('each has a runbook of its own, and each runbook an alert', () => {
    expect(alerts.map(({ annotations }) => annotations.runbook_url).sort()).toEqual(
      runbooks.map((name) => `docs/runbooks/${name}`).sort(),
    )
    expect(alerts.map(({ alert }) => `${alert}.md`).sort()).toEqual([...runbooks].sort())
  })

  test.each(runbooks)('%s says what it means, how to check, to fix and to prevent', (name) => {
    const text = read(`docs/runbooks/${name}`)
    expect(text.split('\n')[0]).toBe(`# ${name.replace('.md', '')}`)
    expect(text.match(/^## .*$/gm)).toEqual([
      '## What it means',
      '## Check',
      '## Fix',
      '## Prevent',
    ])
    const linked = [...text.matchAll(/\]\((Mayfly\w+\.md)\)/g)].map(([, link]) => link)
    expect(runbooks).toEqual(expect.arrayContaining(linked))
  })

  test('R96 R41 R91 lag, orphans, failing revocations and policy errors have one', () => {
    expect(alerts.map(({ alert }) => alert)).toEqual(
      expect.arrayContaining([
        'MayflyRevocationOverdue',
        'MayflyMintsUnconfirmed',
        'MayflyRevocationFailing',
        'MayflyPolicyErrors',
      ]),
    )
  })
})

describe('every metric that is named exists', () => {
  test.each(alerts.map(({ alert, expr }) => [alert, expr] as const))('in %s', async (_, expr) => {
    const named = metricsIn(expr)
    const exported = await exportedMetrics()
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter((name) => !exported.has(name))).toEqual([])
  })

  test.each(
    dashboard.panels.flatMap(({ title, targets }) => (targets ? [[title, targets] as const] : [])),
  )('in the panel "%s"', async (_, targets) => {
    const exported = await exportedMetrics()
    const named = targets.flatMap(({ expr }) => metricsIn(expr))
    expect(named.filter((name) => !exported.has(name))).toEqual([])
  })

  test('panels have ids of their own', () => {
    const ids = dashboard.panels.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })
})

test('every metric of ours is shown, alerted on, or explained in a runbook', async () => {
  const looked = [
    read('deploy/monitoring/alerts.yaml'),
    read('deploy/monitoring/dashboard.json'),
    ...runbooks.map((name) => read(`docs/runbooks/${name}`)),
  ].join('\n')
  const ours = [...(await exportedMetrics())].filter((name) => name.startsWith('mayfly_'))
  const base = (name: string): string => name.replace(/_(bucket|sum|count)$/, '')
  expect([...new Set(ours.map(base))].filter((name) => !looked.includes(name))).toEqual([])
})
