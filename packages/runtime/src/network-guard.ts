import { BlockList, isIP } from 'node:net'

/** Decides which addresses this process may connect to on behalf of a URL that somebody wrote. */
export interface NetworkGuard {
  /** Whether the address is public, or in a network that the configuration allows. */
  allows(address: string): boolean
  /** What keeps requests from being sent to the URL, in words, or `null`. */
  problemWith(url: string): string | null
}

export interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Not globally reachable (IANA IPv4 Special-Purpose Address Registry), and multicast. */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]

/** All that is in use of IPv6. Outside of it are loopback, ULA, link-local, multicast, mapped IPv4, NAT64. */
const PUBLIC_IPV6 = ['2000::/3']

/** Inside of it: protocol assignments with Teredo, documentation, and 6to4, which carries any IPv4. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

/** Refuses every address that is not public, but for those in `allowed` (R116). */
export function makeNetworkGuard(allowed: readonly Network[]): NetworkGuard {
  const permitted = listOf(allowed)
  const special = listOf([...SPECIAL_IPV4, ...SPECIAL_IPV6].map(readNetwork))
  const global = listOf(PUBLIC_IPV6.map(readNetwork))
  const mapped = listOf([readNetwork('::ffff:0:0/96')])

  function allows(address: string): boolean {
    const family = isIP(address)
    if (family === 0) return false
    const name = family === 4 ? 'ipv4' : 'ipv6'
    // A rule for IPv4 matches mapped addresses too, which nobody means when they write it.
    if (name === 'ipv6' && mapped.check(address, name)) return false
    if (permitted.check(address, name)) return true
    if (special.check(address, name)) return false
    return name === 'ipv4' || global.check(address, name)
  }

  return { allows, problemWith: (url) => problemWith(url, allows) }
}

function problemWith(text: string, allows: (address: string) => boolean): string | null {
  if (!URL.canParse(text)) return 'is not a URL'
  const url = new URL(text)
  // Other spellings of an IPv4 address (0x7f.1, 2130706433) are all alike once they are parsed.
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (url.username !== '' || url.password !== '') return 'has a user name or a password in it'
  if (url.hash !== '') return 'has a fragment'
  if (isIP(host) !== 0 && !allows(host)) return 'is at an address that is not public'
  if (url.protocol === 'https:') return null
  // The check above found that this very address is allowed by name.
  if (url.protocol === 'http:' && isLoopback(host)) return null
  return 'is not https'
}

function isLoopback(host: string): boolean {
  return host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** `10.1.0.0/16` or `fd00::/8`; an address alone is a network of one. Throws a `TypeError`. */
export function readNetwork(text: string): Network {
  const [address = '', prefix, ...more] = text.split('/')
  const bits = isIP(address) === 4 ? 32 : 128
  const length = prefix === undefined ? bits : Number(prefix)
  const valid = isIP(address) !== 0 && more.length === 0 && /^\d{1,3}$/.test(prefix ?? '0')
  if (!valid || length > bits) throw new TypeError(`${text} is not a network`)
  return { address, prefix: length, family: bits === 32 ? 'ipv4' : 'ipv6' }
}

function listOf(networks: readonly Network[]): BlockList {
  const list = new BlockList()
  for (const { address, prefix, family } of networks) list.addSubnet(address, prefix, family)
  return list
}
