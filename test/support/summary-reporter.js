/** Prints one closing line that any log reader can parse. */
export default class SummaryReporter {
  onRunComplete(
    _contexts,
    { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites },
  ) {
    const failed = numFailedTests + numRuntimeErrorTestSuites
    process.stdout.write(
      `\n${String(numPassedTests)} passed, ${String(failed)} failed, ${String(numPendingTests)} skipped\n`,
    )
  }
}
