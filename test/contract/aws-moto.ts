import { spawn, spawnSync } from 'node:child_process'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  IAMClient,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam'
import type { AwsKeys } from '@mayfly/standins'

export interface Moto {
  readonly url: URL
  /** From now on every request is authenticated and authorised. */
  enforce(): Promise<void>
  stop(): Promise<void>
}

/** The installed moto's version, or null when there is no `moto_server` on the PATH. */
export function motoVersion(): string | null {
  const help = spawnSync('moto_server', ['--help'], { timeout: 30_000 })
  if (help.error !== undefined || help.status !== 0) return null
  const version = spawnSync('python3', ['-c', 'import moto; print(moto.__version__)'], {
    encoding: 'utf8',
    timeout: 30_000,
  })
  return version.status === 0 ? version.stdout.trim() : 'of unknown version'
}

export async function startMoto(): Promise<Moto> {
  const port = await freePort()
  const url = new URL(`http://127.0.0.1:${String(port)}`)
  // Its own process group: the command can be a shim that starts the real one.
  const server = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], {
    detached: true,
    stdio: 'ignore',
  })
  const ended = new Promise<void>((resolve) =>
    server.once('exit', () => {
      resolve()
    }),
  )
  const stop = async () => {
    if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid, 'SIGTERM')
    await ended
  }
  const deadline = Date.now() + 25_000
  while (!(await answers(url))) {
    if (Date.now() > deadline || server.exitCode !== null) {
      await stop()
      throw new Error('moto_server did not start')
    }
    await wait(50)
  }
  return {
    url,
    stop,
    async enforce() {
      const response = await fetch(new URL('/moto-api/reset-auth', url), {
        method: 'POST',
        headers: { 'content-type': 'text/plain' },
        body: '0',
      })
      if (!response.ok) throw new Error('moto does not enforce IAM')
    },
  }
}

/** Makes a role and the users that may assume it, change its policies, or do nothing at all. */
export async function furnish(
  { url }: Moto,
  {
    role,
    trusted,
    users,
  }: {
    role: { name: string; policy: unknown }
    trusted: string
    users: Readonly<Record<string, unknown>>
  },
): Promise<Readonly<Record<string, AwsKeys>>> {
  const iam = new IAMClient({
    region: 'eu-west-1',
    endpoint: url.href,
    credentials: { accessKeyId: 'AKIAROOT', secretAccessKey: 'root' },
  })
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: [trusted] }, Action: 'sts:AssumeRole' }],
  }
  await iam.send(
    new CreateRoleCommand({ RoleName: role.name, AssumeRolePolicyDocument: JSON.stringify(trust) }),
  )
  await iam.send(
    new PutRolePolicyCommand({
      RoleName: role.name,
      PolicyName: 'Base',
      PolicyDocument: JSON.stringify(role.policy),
    }),
  )
  const keys: Record<string, AwsKeys> = {}
  for (const [UserName, policy] of Object.entries(users)) {
    await iam.send(new CreateUserCommand({ UserName }))
    await iam.send(
      new PutUserPolicyCommand({
        UserName,
        PolicyName: 'Own',
        PolicyDocument: JSON.stringify(policy),
      }),
    )
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }))
    keys[UserName] = {
      accessKeyId: AccessKey?.AccessKeyId ?? '',
      secretAccessKey: AccessKey?.SecretAccessKey ?? '',
    }
  }
  return keys
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // a TCP server that listens has one
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function answers(url: URL): Promise<boolean> {
  try {
    return (await fetch(new URL('/moto-api/', url), { headers: { connection: 'close' } })).ok
  } catch {
    return false // not yet
  }
}
