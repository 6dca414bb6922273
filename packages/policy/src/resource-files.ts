import type { Json, Resource } from '@mayfly/core'
import { isNode, isScalar, LineCounter, parseAllDocuments, visit, type Document } from 'yaml'

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

/** The documents of the files, as they would be sent to the API. Throws `policy_set_invalid`. */
export function documentsOfFiles(files: readonly ResourceFile[]): readonly Json[] {
  const read = files.flatMap(readFile)
  refuseProblems(read.flatMap(({ problems }) => problems))
  return read.map(({ json }) => json)
}

interface ReadDocument {
  readonly json: Json
  readonly problems: readonly ResourceProblem[]
  readonly locate: (path: readonly PropertyKey[]) => string
}

function readFile({ path: file, text }: ResourceFile): readonly ReadDocument[] {
  const lines = new LineCounter()
  const documents = [...parseAllDocuments(text, { lineCounter: lines })]
  const at = (offset: number): string => `${file}:${String(lines.linePos(offset).line)}`
  return documents.filter(isWritten).map((document) => {
    const mistakes = [...document.errors, ...document.warnings, ...aliasesIn(document)]
    return {
      json: mistakes.length > 0 ? null : (document.toJS() as Json), // YAML's core schema is JSON
      problems: mistakes.map(({ message, pos }) => ({
        resource: file,
        path: '',
        message,
        at: at(pos[0]),
      })),
      locate: (path) => at(offsetOf(document, path)),
    }
  })
}

/** Not just a comment, or nothing at all, between two `---`. */
function isWritten({ contents, errors }: Document.Parsed): boolean {
  return (
    errors.length > 0 || !(contents === null || (isScalar(contents) && contents.value === null))
  )
}

/** Aliases can blow a small file up to any size, and hide from a reviewer what a document says. */
function aliasesIn(document: Document.Parsed): readonly { message: string; pos: [number] }[] {
  const found: { message: string; pos: [number] }[] = []
  visit(document, {
    Alias: (_key, { range }) => {
      found.push({ message: 'Aliases are not supported', pos: [range?.[0] ?? 0] })
    },
  })
  return found
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
