import { setFlagsFromString } from 'node:v8'

/** To be called before anything else: V8 reads these when it needs them, and compiles by them. */
export function setV8Flags(): void {
  spareWasmCalls()
  // Requests outlive the young generation under load, and their garbage would be left to grow to
  // several times what is alive. This collects at a third more than that, for some more processor time.
  setFlagsFromString('--heap-growing-percent=30')
}

/**
 * V8 up to that of Node 22 inlines calls of WebAssembly into optimised code, and aborts the process
 * (`unreachable code` in `DoComputeBuiltinContinuation`) when that code is thrown away while such a
 * call is under way that returns a reference, as Cedar's do. Under load this takes a few thousand
 * decisions. Without inlining, a call costs some nanoseconds more.
 */
function spareWasmCalls(): void {
  const [major] = process.versions.node.split('.')
  if (Number(major) <= 22) setFlagsFromString('--no-turbo-inline-js-wasm-calls')
}
