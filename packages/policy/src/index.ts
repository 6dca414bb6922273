export { compilePolicySet, type PolicySetSource } from './compile-policy-set.ts'
export { makePolicySource, type SwappablePolicySource } from './policy-source.ts'
export type { ResourceProblem } from './problem.ts'
export {
  makeResolveReference,
  type ReferenceSources,
  type ResolveReference,
} from './resolve-references.ts'
export { digestOfResources } from './resource-digest.ts'
export {
  parseResourceDocuments,
  readResourceDocuments,
  type ReadDocuments,
} from './resource-documents.ts'
export { documentsOfFiles, parseResourceFiles, type ResourceFile } from './resource-files.ts'
