import { MayflyError, type Freeze, type FreezeStore, type Selector } from '@mayfly/core'
import { z } from 'zod'

import type { Database } from './database.ts'

const IN_FORCE = '(f.lifted_at IS NULL AND (f.expires_at IS NULL OR f.expires_at > now()))'

const COLUMNS = `f.id, f.selector, f.reason, f.created_by AS "createdBy", f.created_at AS "createdAt",
  f.expires_at AS "expiresAt", f.lifted_at AS "liftedAt", f.lifted_by AS "liftedBy",
  f.lift_reason AS "liftReason", ${IN_FORCE} AS "inForce",
  (SELECT c.id FROM containments c WHERE c.freeze_id = f.id) AS "containmentId"`

const CREATE = {
  name: 'create_freeze',
  text: `
    WITH f AS (
      INSERT INTO freezes (id, selector, reason, created_by, expires_at)
        SELECT $1, $2, $3, $4, $5::timestamptz WHERE $5::timestamptz IS NULL OR $5 > now()
        RETURNING *
    ), event AS (
      INSERT INTO audit_events (type, subject, data)
        SELECT 'freeze.created', created_by, jsonb_strip_nulls(jsonb_build_object('freezeId', id,
          'selector', selector, 'reason', reason, 'expiresAt', expires_at)) FROM f
    )
    SELECT ${COLUMNS} FROM f`,
}

const LIFT = {
  name: 'lift_freeze',
  text: `
    WITH f AS (
      UPDATE freezes f SET lifted_at = now(), lifted_by = $2, lift_reason = $3
        WHERE id = $1 AND ${IN_FORCE}
        RETURNING *
    ), event AS (
      INSERT INTO audit_events (type, subject, data)
        SELECT 'freeze.lifted', lifted_by,
          jsonb_build_object('freezeId', id, 'reason', lift_reason) FROM f
    )
    SELECT ${COLUMNS} FROM f`,
}

const FIND = { name: 'find_freeze', text: `SELECT ${COLUMNS} FROM freezes f WHERE f.id = $1` }

const LIST = {
  name: 'list_freezes',
  text: `SELECT ${COLUMNS} FROM freezes f WHERE $1::boolean IS NULL OR $1 = ${IN_FORCE}
           ORDER BY f.id DESC LIMIT $2`,
}

/** The database refuses to store anything but a selector. */
export const selectorColumn = z.custom<Selector>((value) => typeof value === 'object')

const rowSchema = z.object({
  id: z.string(),
  selector: selectorColumn,
  reason: z.string(),
  createdBy: z.string(),
  createdAt: z.date(),
  expiresAt: z.date().nullable(),
  liftedAt: z.date().nullable(),
  liftedBy: z.string().nullable(),
  liftReason: z.string().nullable(),
  inForce: z.boolean(),
  containmentId: z.string().nullable(),
})

/** Freezes in PostgreSQL, behind the gate that every mint passes (see `hold_freeze_gate`). */
export function makeFreezeStore(database: Database): FreezeStore {
  async function one(statement: typeof FIND, values: readonly unknown[]): Promise<Freeze | null> {
    const [row] = await database.rows(statement, values)
    return row === undefined ? null : rowSchema.parse(row)
  }

  return {
    async create({ id, selector, reason, createdBy, expiresAt }) {
      const values = [id, JSON.stringify(selector), reason, createdBy, expiresAt]
      const created = await one(CREATE, values)
      if (created) return created
      throw new MayflyError('freeze_expiry_invalid', 'a freeze cannot end before it begins')
    },
    async list({ inForce, limit }) {
      const rows = await database.rows(LIST, [inForce ?? null, limit])
      return rows.map((row) => rowSchema.parse(row))
    },
    async lift(freezeId, { by, reason }) {
      const lifted = await one(LIFT, [freezeId, by, reason])
      if (lifted) return lifted
      const found = await one(FIND, [freezeId])
      if (!found) throw new MayflyError('freeze_unknown', `no freeze ${freezeId}`)
      throw new MayflyError('freeze_over', 'this freeze was lifted, or its time is up', {
        details: { liftedAt: found.liftedAt, expiresAt: found.expiresAt },
      })
    },
  }
}
