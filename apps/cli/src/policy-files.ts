import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { isMap, isNode, LineCounter, parseAllDocuments, type Document } from 'yaml'

import { UsageError } from './usage-error.ts'

export interface PolicyDocument {
  readonly json: JsonObject
  /** `file:line` of a dotted path, or of the nearest thing around it that is there. */
  locate(path: string): string
}

type Json = string | number | boolean | null | Json[] | JsonObject
interface JsonObject {
  [key: string]: Json
}

export interface FileProblem {
  readonly at: string
  readonly message: string
}

/** YAML that is not even documents. */
export class InvalidFilesError extends Error {
  override readonly name = 'InvalidFilesError'
  readonly problems: readonly FileProblem[]

  constructor(problems: readonly FileProblem[]) {
    super(['the files are not valid', ...problems.map((p) => `  ${p.at}: ${p.message}`)].join('\n'))
    this.problems = problems
  }
}

/** Reads every document of the files, and of the YAML files below the folders. */
export async function readPolicyFiles(
  paths: readonly string[],
): Promise<readonly PolicyDocument[]> {
  const files = (await Promise.all(paths.map(yamlFiles))).flat()
  const read = (await Promise.all(files.map(readDocuments))).flat()
  const problems = read.flatMap((document) => document.problems)
  if (problems.length > 0) throw new InvalidFilesError(problems)
  if (read.length === 0) throw new UsageError('there is no resource in any of the files')
  return read
}

async function yamlFiles(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch(() => {
    throw new UsageError(`${path} cannot be read`)
  })
  if (!found.isDirectory()) return [path]
  const names = await readdir(path, { recursive: true })
  return names
    .filter((name) => /\.ya?ml$/.test(name))
    .toSorted()
    .map((name) => join(path, name))
}

async function readDocuments(
  file: string,
): Promise<readonly (PolicyDocument & { readonly problems: readonly FileProblem[] })[]> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`${file} cannot be read`)
  })
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true })
  const at = (offset: number): string => `${file}:${String(lines.linePos(offset).line)}`
  return [...documents]
    .filter((document) => document.contents !== null || document.errors.length > 0)
    .map((document) => {
      const start = document.contents?.range[0] ?? 0
      const problems = document.errors.map(({ message, pos }) => ({ at: at(pos[0]), message }))
      if (problems.length === 0 && !isMap(document.contents)) {
        problems.push({ at: at(start), message: 'a resource is a map' })
      }
      return {
        // Aliases can blow a small file up to any size.
        json: problems.length > 0 ? {} : (document.toJS({ maxAliasCount: 0 }) as JsonObject), // a YAML map
        problems,
        locate: (path) => at(offsetOf(document, path) ?? start),
      }
    })
}

/** Keys may hold dots themselves (`repo.read`), so the longest key that is there goes first. */
function offsetOf(document: Document.Parsed, path: string): number | undefined {
  let steps: readonly string[] = []
  let rest = path === '' ? [] : path.split('.')
  while (rest.length > 0) {
    const length = lengths(rest).find((n) => document.hasIn([...steps, rest.slice(0, n).join('.')]))
    if (length === undefined) break
    steps = [...steps, rest.slice(0, length).join('.')]
    rest = rest.slice(length)
  }
  const node = document.getIn(steps, true)
  return isNode(node) && node.range ? node.range[0] : undefined
}

function lengths(parts: readonly string[]): readonly number[] {
  return parts.map((_, index) => parts.length - index)
}
