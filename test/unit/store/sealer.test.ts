import { randomBytes } from 'node:crypto'

import { describe, expect, test } from '@jest/globals'
import { Secret } from '@mayfly/core'
import { makeSealer, parseSealingKeys, type Sealed, type SealingKey } from '@mayfly/store'

const key = (id: string): SealingKey => ({
  id,
  key: new Secret(randomBytes(32).toString('base64')),
})
const secret = new Secret('ghs_secret ü')

describe('G6 R117 a sealer', () => {
  test('opens what it sealed, and never seals alike twice', () => {
    const sealer = makeSealer([key('k1')])
    const [one, two] = [sealer.seal(secret, 'lea_1'), sealer.seal(secret, 'lea_1')]
    expect(sealer.open(one, 'lea_1').reveal()).toBe('ghs_secret ü')
    expect(one.keyId).toBe('k1')
    expect(one.bytes).not.toEqual(two.bytes)
    expect(Buffer.from(one.bytes).includes('ghs_')).toBe(false)
  })

  test('seals with the first key and opens with any', () => {
    const [old, fresh] = [key('k1'), key('k2')]
    const sealed = makeSealer([old]).seal(secret, 'lea_1')
    const rotated = makeSealer([fresh, old])
    expect(rotated.open(sealed, 'lea_1').reveal()).toBe('ghs_secret ü')
    expect(rotated.seal(secret, 'lea_1').keyId).toBe('k2')
    expect(() => makeSealer([fresh]).open(sealed, 'lea_1')).toThrow('k1 is not configured')
  })

  test('does not open for another purpose, with another key of the same name, or one bit off', () => {
    const sealer = makeSealer([key('k1')])
    const sealed = sealer.seal(secret, 'lea_1')
    expect(() => sealer.open(sealed, 'lea_2')).toThrow()
    expect(() => makeSealer([key('k1')]).open(sealed, 'lea_1')).toThrow()
    for (let byte = 0; byte < sealed.bytes.length; byte += 1) {
      const flipped: Sealed = { ...sealed, bytes: Uint8Array.from(sealed.bytes) }
      flipped.bytes[byte] = (flipped.bytes[byte] ?? 0) ^ 1
      expect(() => sealer.open(flipped, 'lea_1')).toThrow()
    }
    const short = { ...sealed, bytes: sealed.bytes.slice(0, 20) }
    expect(() => sealer.open(short, 'lea_1')).toThrow()
  })

  test('needs a key', () => {
    expect(() => makeSealer([])).toThrow('no sealing key')
  })
})

describe('the list of sealing keys', () => {
  test('is read in order', () => {
    const [one, two] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')]
    const keys = parseSealingKeys(new Secret(`2026-11:${one}, 2026-10:${two}`))
    expect(keys.map(({ id, key }) => [id, key.reveal()])).toEqual([
      ['2026-11', one],
      ['2026-10', two],
    ])
  })

  test.each(['', 'k1', 'k1:c2hvcnQ=', `k 1:${'A'.repeat(43)}=`, `k1:${'A'.repeat(43)}=:more`])(
    'is refused without being printed: %p',
    (list) => {
      let message = ''
      try {
        parseSealingKeys(new Secret(list))
      } catch (error) {
        message = String(error)
      }
      expect(message).toBe(
        'Error: sealing keys must read id:base64 of 32 bytes, separated by commas',
      )
    },
  )
})
