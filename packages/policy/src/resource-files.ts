import type { Json, Resource } from '@mayfly/core'
import { isNode, LineCounter, parseAllDocuments, type Document } from 'yaml'

import { refuseProblems, type ResourceProblem } from './problem.ts'
import { parseResourceDocuments } from './resource-documents.ts'

export interface ResourceFile {
  /** As it should appear in problems. */
  readonly path: string
  readonly text: string
}

/**
 * Reads resources from YAML files, several documents to a file. Throws `policy_set_invalid`, with
 * the file and line of every problem.
 */
export function parseResourceFiles(files: readonly ResourceFile[]): readonly Resource[] {
  const read = files.flatMap(readFile)
  refuseProblems(read.flatMap(({ problems }) => problems))
  return parseResourceDocuments(
    read.map(({ json }) => json),
    (document, path) => read[document]?.locate(path),
  )
}

interface ReadDocument {
  readonly json: Json
  readonly problems: readonly ResourceProblem[]
  readonly locate: (path: readonly PropertyKey[]) => string
}

function readFile({ path: file, text }: ResourceFile): readonly ReadDocument[] {
  const lines = new LineCounter()
  // Aliases can blow a small file up to any size, and merge keys hide what a document says.
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true })
  const at = (offset: number): string => `${file}:${String(lines.linePos(offset).line)}`
  return [...documents]
    .filter((document) => document.contents !== null)
    .map((document) => ({
      json: document.errors.length > 0 ? null : (document.toJS({ maxAliasCount: 0 }) as Json), // YAML's core schema is JSON
      problems: document.errors.map(({ message, pos }) => ({
        resource: file,
        path: '',
        message,
        at: at(pos[0]),
      })),
      locate: (path) => at(offsetOf(document, path)),
    }))
}

/** Of the path, or of the nearest thing around it that is there. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const steps = path.slice(0, depth).map((step) => (typeof step === 'symbol' ? '' : step))
    const node = document.getIn(steps, true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return document.contents?.range[0] ?? 0
}
