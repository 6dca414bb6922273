import type { PolicySource, Webhook, WebhookState, WebhookStates } from '@mayfly/core'
import type { WebhookBody } from '@mayfly/protocol'
import { Router } from 'express'

import type { Authenticate } from './authenticate.ts'
import { MAY_READ_INCIDENTS } from './freeze-routes.ts'
import { instantOrNull } from './instant-or-null.ts'
import { routed } from './routed.ts'

export interface WebhookRoutesDeps {
  readonly policies: PolicySource
  readonly webhookStates: WebhookStates
}

export function webhookRoutes(deps: WebhookRoutesDeps, authenticate: Authenticate): Router {
  const router = Router()

  router.get('/v1/webhooks', routed, authenticate.operator(MAY_READ_INCIDENTS), async (_, res) => {
    const { resources } = deps.policies.current()
    const webhooks = resources.filter((resource) => resource.kind === 'Webhook')
    const states = new Map(
      (await deps.webhookStates.of(webhooks)).map((state) => [state.name, state]),
    )
    res.json({
      webhooks: webhooks.flatMap((webhook) => {
        const state = states.get(webhook.name)
        return state ? [webhookBody(webhook, state)] : []
      }),
    })
  })

  return router
}

function webhookBody({ name, url, events }: Webhook, state: WebhookState): WebhookBody {
  const { failures, pending, pendingOrMore } = state
  return {
    name,
    origin: new URL(url).origin,
    events: [...events],
    state: stateOf(state),
    failures,
    failingSince: instantOrNull(state.failingSince),
    lastFailure: state.note,
    nextAttemptAt: instantOrNull(state.nextAttemptAt),
    pending,
    pendingOrMore,
    oldestPendingAt: instantOrNull(state.oldestPendingAt),
  }
}

function stateOf({ known, failures, failingSince }: WebhookState): WebhookBody['state'] {
  if (!known) return 'new'
  if (failingSince) return 'failing'
  return failures > 0 ? 'retrying' : 'delivering'
}
