import { startDatabaseServer } from './database-server.js'

/** Before the projects that ask for it: one PostgreSQL with a migrated template database. */
export default async function globalSetup() {
  process.env.MAYFLY_TEST_DATABASE_URL = await startDatabaseServer()
}
