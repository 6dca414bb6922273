import { z } from 'zod'

/** A security event token (RFC 8417) in its compact form. */
export const securityEventToken = z
  .string()
  .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  .max(32 * 1024)

/** What a transmitter is told of a token that is not accepted (RFC 8935 section 2.4). */
export const deliveryError = z.object({
  err: z.enum([
    'invalid_request',
    'invalid_key',
    'invalid_issuer',
    'invalid_audience',
    'authentication_failed',
  ]),
  description: z.string(),
})
export type DeliveryError = z.output<typeof deliveryError>
