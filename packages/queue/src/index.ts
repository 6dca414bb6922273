export type { QueueLocation } from './queue-location.ts'
export {
  makeRevocationQueue,
  type ConnectedRevocationQueue,
  type QueueDepth,
} from './revocation-queue.ts'
export {
  startRevocationWorker,
  type RevocationWorker,
  type RevocationWorkerOptions,
} from './revocation-worker.ts'
