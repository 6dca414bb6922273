import { spawnSync } from 'node:child_process'

import { expect, test } from '@jest/globals'

// A module with one function: it passes a reference to JavaScript and returns what comes back.
const MODULE =
  '0061736d0100000001060160016f016f02070101650166000003020100070501016700010a080106002000' +
  '10000b'

// Makes `ask` hot, and then, in the middle of its call, breaks an assumption that it was optimised on.
const SCRIPT = `
  import { setV8Flags } from '@mayfly/broker'
  setV8Flags()
  class Assumption { holds() { return true } }
  const assumption = new Assumption()
  let breaking = false
  const callback = (x) => {
    if (breaking) Assumption.prototype.holds = () => false
    return x
  }
  const module = new WebAssembly.Module(Buffer.from('${MODULE}', 'hex'))
  const { g } = new WebAssembly.Instance(module, { e: { f: callback } }).exports
  const ask = (x) => (assumption.holds() ? g(x) : null)
  for (let i = 0; i < 200_000; i += 1) ask({ i })
  breaking = true
  console.log(JSON.stringify(ask({ survived: true })))
`

test('the process survives optimised code that is thrown away inside a WebAssembly call', () => {
  const { stdout, status } = spawnSync(
    process.execPath,
    ['--conditions=@mayfly/source', '--import', 'tsx', '--input-type=module', '--eval', SCRIPT],
    { encoding: 'utf8', timeout: 60_000 },
  )
  expect({ stdout, status }).toEqual({ stdout: '{"survived":true}\n', status: 0 })
})
