export { applyMigrations } from './migrations.ts'
