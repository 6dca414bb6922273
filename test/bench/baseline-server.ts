import express from 'express'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import pg from 'pg'

/**
 * The least that any credential broker must do per request, with no policy, provider, queue or audit:
 * Express, one signature check, two durable inserts. Prints its URL and serves until it is killed.
 */
const { DATABASE_URL, JWKS_URL, ISSUER, AUDIENCE } = process.env
if (!DATABASE_URL || !JWKS_URL || !ISSUER || !AUDIENCE) throw new Error('started by bench.ts only')

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 16 })
await pool.query(
  'create table if not exists baseline (id bigserial primary key, subject text not null, body jsonb not null, state text not null, at timestamptz not null default now())',
)
const keys = createRemoteJWKSet(new URL(JWKS_URL))

const app = express()
app.disable('x-powered-by')
app.use(express.json({ limit: '64kb' }))
app.post('/v1/leases', async (req, res) => {
  const token = req.get('authorization')?.slice('Bearer '.length) ?? ''
  const { payload } = await jwtVerify(token, keys, {
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: ['ES256'],
  })
  const insert = 'insert into baseline (subject, body, state) values ($1, $2, $3) returning id'
  await pool.query(insert, [payload.sub, JSON.stringify(req.body), 'pending'])
  const { rows } = await pool.query<{ id: string }>(insert, [payload.sub, '{}', 'active'])
  res.status(201).set('cache-control', 'no-store').json({ id: rows[0]?.id })
})
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  process.stdout.write(`http://127.0.0.1:${String(address.port)}\n`)
})
