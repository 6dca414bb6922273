import { describe, expect, test } from '@jest/globals'
import { makeNetworkGuard, networksVariable } from '@mayfly/runtime'

const strict = makeNetworkGuard([])
const networks = networksVariable.parse('10.1.0.0/16, 127.0.0.1, fd00:1::/32')
const open = makeNetworkGuard(networks)

describe('R116 the network guard', () => {
  test.each([
    ['unspecified', ['0.0.0.0', '0.1.2.3', '::', '::0']],
    ['private', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1']],
    ['loopback', ['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1']],
    ['link-local', ['169.254.169.254', '169.254.0.1', 'fe80::1', 'febf::1']],
    ['carrier-grade NAT', ['100.64.0.1', '100.127.255.255']],
    ['multicast and broadcast', ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1']],
    ['unique local', ['fc00::1', 'fd00::1', 'fd12:3456:789a::1']],
    ['mapped IPv4', ['::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:8.8.8.8', '::ffff:7f00:1']],
    ['IPv4 in other clothes', ['64:ff9b::7f00:1', '2002:7f00:1::', '2001:0:1::1', '::7f00:1']],
    ['documentation', ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1']],
    ['benchmarks and reserved', ['198.18.0.1', '240.0.0.1', '192.0.0.1']],
    ['with a zone', ['fe80::1%eth0']],
    ['no address', ['', 'localhost', '1.2.3', '0x7f000001', '127.0.0.1 ', 'example.com']],
  ])('refuses what is %s', (_name, addresses) => {
    expect(addresses.filter((address) => strict.allows(address))).toEqual([])
  })

  test('allows public addresses', () => {
    const addresses = ['1.1.1.1', '172.15.0.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111']
    expect(addresses.filter((address) => !strict.allows(address))).toEqual([])
  })

  test('allows what the configuration names, and not its neighbours', () => {
    expect(['10.1.2.3', '127.0.0.1', 'fd00:1::5'].every((one) => open.allows(one))).toBe(true)
    const others = ['10.2.0.1', '127.0.0.2', 'fd00:2::5', '::1', '::ffff:10.1.2.3', '192.168.0.1']
    expect(others.filter((address) => open.allows(address))).toEqual([])
  })

  test.each([
    ['https://hooks.example/mayfly', null],
    ['https://1.1.1.1/', null],
    ['https://hooks.example:8443/x?y=z', null],
    ['http://hooks.example/', 'is not https'],
    ['http://localhost:8080/', 'is not https'],
    ['ftp://hooks.example/', 'is not https'],
    ['file:///etc/passwd', 'is not https'],
    ['https://127.0.0.1/', 'is at an address that is not public'],
    ['http://127.0.0.1/', 'is at an address that is not public'],
    ['https://[::1]/', 'is at an address that is not public'],
    ['https://[::ffff:169.254.169.254]/', 'is at an address that is not public'],
    ['https://0x7f.1/', 'is at an address that is not public'],
    ['https://2130706433/', 'is at an address that is not public'],
    ['https://0177.0.0.1/', 'is at an address that is not public'],
    ['https://①②⑦.0.0.1/', 'is at an address that is not public'],
    ['https://user:secret@hooks.example/', 'has a user name or a password in it'],
    ['https://hooks.example/#part', 'has a fragment'],
    ['not a url', 'is not a URL'],
  ])('says of %s: %s', (url, problem) => {
    expect(strict.problemWith(url)).toBe(problem)
  })

  test('lets plain http through to loopback alone, and only where that is allowed', () => {
    expect(open.problemWith('http://127.0.0.1:9000/')).toBeNull()
    expect(open.problemWith('https://10.1.2.3/')).toBeNull()
    expect(open.problemWith('http://10.1.2.3/')).toBe('is not https')
    expect(open.problemWith('http://127.0.0.2/')).toBe('is at an address that is not public')
  })

  test.each(['10.0.0.0/33', '10.0.0/8', 'fd00::/129', 'x', '10.0.0.0/8/8', '10.0.0.0/-1', '1/'])(
    'is not configured with %s',
    (text) => {
      expect(networksVariable.safeParse(text).success).toBe(false)
    },
  )
})
