import type { Report } from '@mayfly/core'
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino'

import { makeRedact } from './redaction.ts'

export interface LoggerOptions {
  /** Which app is speaking. */
  readonly name: string
  readonly level: string
  /** Standard output when absent. */
  readonly destination?: DestinationStream
}

export type { Logger }

/**
 * A JSON-lines logger that keeps credentials out three times: by the fields that it censors, by an
 * error serialiser that takes only what it knows, and by the shape of what is left (R118).
 */
export function makeLogger(options: LoggerOptions): Logger {
  const redact = makeRedact()
  return pino(
    {
      name: options.name,
      level: options.level,
      timestamp: stdTimeFunctions.isoTime,
      redact: { paths: CENSORED.flatMap((field) => [field, `*.${field}`]), censor: '[redacted]' },
      serializers: { err: errorFields },
      hooks: { streamWrite: redact },
    },
    options.destination ?? process.stdout,
  )
}

const CENSORED = [
  'authorization',
  'Authorization',
  'cookie',
  'password',
  'token',
  'taskToken',
  'secret',
  'credential',
  'handle',
  'privateKey',
]

interface ErrorFields {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: ErrorFields
}

/**
 * Libraries hang requests, responses and configuration on their errors, bearer tokens included, so
 * only the fields of errors in general are taken.
 */
function errorFields(error: unknown, depth = 0): ErrorFields {
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an Error' }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return {
    type: error.name,
    message: error.message,
    ...(code !== undefined && { code }),
    ...(error.stack !== undefined && { stack: error.stack }),
    ...(error.cause !== undefined && depth < 5 && { cause: errorFields(error.cause, depth + 1) }),
  }
}

/** What use cases tell the operator when something went wrong and was recovered from. */
export function makeReport(logger: Logger): Report {
  return (message, error, context) => {
    logger.warn({ ...context, err: error }, message)
  }
}
