import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'

import { ConfigurationError, type Logger } from '@mayfly/runtime'
import { documentsOfFiles, parseResourceFiles, type ResourceFile } from '@mayfly/policy'
import type { PolicySetStore } from '@mayfly/store'

import type { ApplyPolicySet } from './http/policy-set-routes.ts'

export interface BootstrapDeps {
  readonly policySets: Pick<PolicySetStore, 'current'>
  readonly applyPolicySet: ApplyPolicySet
  readonly logger: Logger
}

const BOOTSTRAP = { issuer: 'mayfly', subject: 'bootstrap', roles: [] }

/**
 * Applies a folder of YAML resources to a database that holds no policy set, so that there is an
 * operator who can apply the next one. Does nothing ever after: from then on the API is the way.
 */
export async function bootstrapPolicies(folder: string, deps: BootstrapDeps): Promise<void> {
  if (await deps.policySets.current()) return
  const files = await readFolder(folder)
  // Once for problems by file and line, once for the documents that are stored.
  parseResourceFiles(files)
  const { policySet } = await deps.applyPolicySet({
    documents: documentsOfFiles(files),
    operator: BOOTSTRAP,
    dryRun: false,
  })
  deps.logger.info(
    { version: policySet.version, digest: policySet.digest },
    'policies bootstrapped',
  )
}

async function readFolder(folder: string): Promise<readonly ResourceFile[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => {
    throw new ConfigurationError('BOOTSTRAP_POLICIES: the folder cannot be read')
  })
  const paths = names.filter((name) => /\.ya?ml$/.test(name)).toSorted()
  return Promise.all(
    paths.map(async (name) => {
      const path = join(folder, name)
      return { path: relative(process.cwd(), path), text: await readFile(path, 'utf8') }
    }),
  )
}
