import { MayflyError } from '@mayfly/core'
import express, { type RequestHandler } from 'express'

import { isStorable } from './storable-text.ts'

export interface JsonBodyOptions {
  readonly limitBytes: number
}

const MAX_DEPTH = 16

const UNSTORABLE = 'the body has a null byte or half a surrogate pair'

/**
 * Reads a JSON body, and nothing else. Errors never quote the body: the parser's own message does,
 * so it is dropped here.
 */
export function jsonBody({ limitBytes }: JsonBodyOptions): RequestHandler {
  // Compressed bodies are refused: a small one can unpack to any size.
  const read: RequestHandler = express.json({
    limit: limitBytes,
    type: () => true,
    inflate: false,
    strict: true,
  })
  return (req, res, next) => {
    if (!hasBody(req.headers)) {
      next()
      return
    }
    if (!isJson(req.get('content-type'))) {
      next(new MayflyError('unsupported_media_type', 'the body must be application/json'))
      return
    }
    read(req, res, (error?: unknown) => {
      next(error === undefined ? shapeProblem(req.body) : readProblem(error))
    })
  }
}

function hasBody(headers: Readonly<Record<string, unknown>>): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(;|$)/i.test(contentType ?? '')
}

function readProblem(error: unknown): MayflyError {
  const status = typeof error === 'object' && error !== null && 'status' in error && error.status
  if (status === 413) return new MayflyError('payload_too_large', 'the body is too large')
  if (status === 415) {
    return new MayflyError('unsupported_media_type', 'the body must be UTF-8 and not compressed')
  }
  return new MayflyError('invalid_request', 'the body is not a JSON object or list')
}

function shapeProblem(body: unknown): MayflyError | undefined {
  const problem = problemIn(body, 1)
  return problem === null ? undefined : new MayflyError('invalid_request', problem)
}

function problemIn(node: unknown, depth: number): string | null {
  if (typeof node === 'string') return isStorable(node) ? null : UNSTORABLE
  if (typeof node !== 'object' || node === null) return null
  if (depth > MAX_DEPTH) return `the body is nested deeper than ${String(MAX_DEPTH)} levels`
  for (const [key, value] of Object.entries(node)) {
    const problem = keyProblem(key, value) ?? problemIn(value, depth + 1)
    if (problem !== null) return problem
  }
  return null
}

function keyProblem(key: string, value: unknown): string | null {
  if (!isStorable(key)) return UNSTORABLE
  const reaches = key === '__proto__' || (key === 'constructor' && hasPrototype(value))
  return reaches ? 'the body has a key that is not acceptable' : null
}

function hasPrototype(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')
}
