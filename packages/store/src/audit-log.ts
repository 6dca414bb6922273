import { subjectOf, type AuditLog } from '@mayfly/core'

import type { Database } from './database.ts'

const RECORD = {
  name: 'record_event',
  text: `INSERT INTO audit_events (type, subject, agent, task_id, lease_id, decision_id, data)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
}

const REFUSE = {
  name: 'record_refusal',
  text: `
    WITH decision AS (
      INSERT INTO decisions (id, task_id, allowed, template, template_version, policy_set_version,
          policy_digest, actions, parameters, explanation)
        VALUES ($1, $2, false, $3, $4, $5, $6, $7, $8, $9)
        RETURNING *
    )
    INSERT INTO audit_events (type, subject, agent, task_id, decision_id, data)
      SELECT 'decision.denied', $10, $11, task_id, id, jsonb_build_object('template', template,
        'actions', actions, 'parameters', parameters, 'explanation', explanation) FROM decision`,
}

export function makeAuditLog(database: Database): AuditLog {
  return {
    async record({ type, subject, agent, taskId, leaseId, decisionId, data }) {
      const ids = [
        subject ?? null,
        agent ?? null,
        taskId ?? null,
        leaseId ?? null,
        decisionId ?? null,
      ]
      await database.rows(RECORD, [type, ...ids, JSON.stringify(data)])
    },
    async refuse(decision, task) {
      await database.rows(REFUSE, [
        decision.id,
        decision.taskId,
        decision.template,
        decision.templateVersion,
        decision.policySetVersion,
        decision.policyDigest,
        decision.actions,
        JSON.stringify(decision.parameters),
        JSON.stringify(decision.explanation),
        subjectOf(task),
        task.agent,
      ])
    },
  }
}
