import { setFlagsFromString } from 'node:v8'

/**
 * V8 up to that of Node 22 inlines calls of WebAssembly into optimised code, and aborts the process
 * (`unreachable code` in `DoComputeBuiltinContinuation`) when that code is thrown away while such a
 * call is under way that returns a reference, as Cedar's do. Under load this takes a few thousand
 * decisions. Without inlining, a call costs some nanoseconds more.
 */
export function spareWasmCalls(): void {
  const [major] = process.versions.node.split('.')
  if (Number(major) <= 22) setFlagsFromString('--no-turbo-inline-js-wasm-calls')
}
