import type { Json, Resource } from '@mayfly/core'
import { z } from 'zod'

import { issuerDocument, toIssuer } from './issuer-document.ts'
import { refuseProblems, type ResourceProblem } from './problem.ts'
import {
  agentDocument,
  connectionDocument,
  guardrailDocument,
  ownerDocument,
  roleBindingDocument,
  toAgent,
  toConnection,
  toGuardrail,
  toOwner,
  toRoleBinding,
} from './registry-documents.ts'
import { referenceProblems } from './resource-references.ts'
import { templateDocument, toTemplate } from './template-document.ts'
import { templateProblems } from './template-problems.ts'
import { toWebhook, webhookDocument } from './webhook-document.ts'

type Parse = (document: Json) => Parsed

type Parsed = { readonly resource: Resource } | { readonly issues: readonly Issue[] }

type Issue = Pick<z.core.$ZodIssue, 'path' | 'message'>

const KINDS: Readonly<Record<Resource['kind'], Parse>> = {
  Issuer: kind('Issuer', issuerDocument, toIssuer),
  Owner: kind('Owner', ownerDocument, toOwner),
  Agent: kind('Agent', agentDocument, toAgent),
  Connection: kind('Connection', connectionDocument, toConnection),
  ScopeTemplate: kind('ScopeTemplate', templateDocument, toTemplate),
  Guardrail: kind('Guardrail', guardrailDocument, toGuardrail),
  RoleBinding: kind('RoleBinding', roleBindingDocument, toRoleBinding),
  Webhook: kind('Webhook', webhookDocument, toWebhook),
}

/** Where a path of a document stands in the file that it came from: `file:line`. */
export type Locate = (document: number, path: readonly PropertyKey[]) => string | undefined

/** What could be read, and what is wrong: with documents, and with what they say of each other. */
export interface ReadDocuments {
  readonly resources: readonly Resource[]
  readonly problems: readonly ResourceProblem[]
  /** `Issuer/ci` for documents that have a name and could not be read. */
  readonly unread: ReadonlySet<string>
}

/**
 * Reads documents of the form `{ apiVersion: mayfly.dev/v1, kind, metadata, spec }`, and checks them
 * one by one and against each other. Throws `policy_set_invalid` with all problems of all documents.
 */
export function parseResourceDocuments(
  documents: readonly Json[],
  locate?: Locate,
): readonly Resource[] {
  const { resources, problems } = readResourceDocuments(documents, locate)
  refuseProblems(problems)
  return resources
}

/** The same without throwing, so that what is wrong elsewhere can be told together with it. */
export function readResourceDocuments(
  documents: readonly Json[],
  locate: Locate = () => undefined,
): ReadDocuments {
  const problems: ResourceProblem[] = []
  const resources: Resource[] = []
  const origins = new Map<Resource, number>()
  const unread = new Set<string>()
  documents.forEach((document, index) => {
    const parsed = parseDocument(document)
    if ('resource' in parsed) {
      resources.push(parsed.resource)
      origins.set(parsed.resource, index)
      return
    }
    unread.add(nameOf(document, index))
    for (const { path, message } of parsed.issues) {
      problems.push(problem(nameOf(document, index), path, message, locate(index, path)))
    }
  })
  const together = [...referenceProblems(resources, unread), ...templateProblems(resources, unread)]
  for (const found of together) {
    const at = locate(origins.get(found.resource) ?? -1, found.path)
    const { kind: kindName, name } = found.resource
    problems.push(problem(`${kindName}/${name}`, found.path, found.message, at))
  }
  return { resources, problems, unread }
}

function parseDocument(document: Json): Parsed {
  const envelope = z.looseObject({ kind: z.enum(Object.keys(KINDS) as Resource['kind'][]) }) // its keys are the kinds
  const result = envelope.safeParse(document)
  return result.success ? KINDS[result.data.kind](document) : result.error
}

interface Body<Metadata extends z.ZodType, Spec extends z.ZodType> {
  readonly metadata: z.output<Metadata>
  readonly spec: z.output<Spec>
}

/** One kind of document: the envelope around its own metadata and spec. */
function kind<Metadata extends z.ZodType, Spec extends z.ZodType>(
  kindName: Resource['kind'],
  document: { readonly metadata: Metadata; readonly spec: Spec },
  toResource: (metadata: z.output<Metadata>, spec: z.output<Spec>) => Resource,
): Parse {
  const schema = z.strictObject({
    apiVersion: z.literal('mayfly.dev/v1'),
    kind: z.literal(kindName),
    metadata: document.metadata,
    spec: document.spec,
  })
  return (json) => {
    const result = schema.safeParse(json)
    if (!result.success) return result.error
    const { metadata, spec } = result.data as Body<Metadata, Spec> // lost by zod over type parameters
    return { resource: toResource(metadata, spec) }
  }
}

function problem(
  resource: string,
  path: readonly PropertyKey[],
  message: string,
  at: string | undefined,
): ResourceProblem {
  const found = { resource, path: path.map(String).join('.'), message }
  return at === undefined ? found : { ...found, at }
}

function nameOf(document: Json, index: number): string {
  const loose = z
    .looseObject({ kind: z.string(), metadata: z.looseObject({ name: z.string() }) })
    .safeParse(document)
  return loose.success
    ? `${loose.data.kind}/${loose.data.metadata.name}`
    : `document ${String(index + 1)}`
}
