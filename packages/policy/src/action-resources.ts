/** The first-class actions (R43) and the one type of resource that each acts on. */
export const ACTION_RESOURCES = {
  'repo.read': 'Repo',
  'repo.write': 'Repo',
  'package.publish': 'Package',
  'terminal.exec': 'Command',
  'secret.read': 'SecretPath',
  'infra.change': 'AwsRole',
  'net.egress': 'Host',
} as const

export const RESOURCE_TYPES = [
  'Repo',
  'Package',
  'Command',
  'SecretPath',
  'AwsRole',
  'Host',
] as const

/** The type that an action acts on, or `undefined` for an action that nobody knows. */
export function resourceTypeOf(action: string): string | undefined {
  return Object.entries(ACTION_RESOURCES).find(([name]) => name === action)?.[1]
}
