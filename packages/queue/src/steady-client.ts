import pg from 'pg'

/**
 * A session whose loss does not end the process. BullMQ checks sessions out without listening to
 * them, and an `error` event that nobody hears is thrown; whoever waits for a query hears of the
 * loss all the same.
 */
export class SteadyClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config)
    this.on('error', () => undefined)
  }
}
