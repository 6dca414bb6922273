import { expect, test } from '@jest/globals'
import { didYouMean } from '@mayfly/core'

const known = ['contents', 'issues', 'pull_requests', 'packages', 'pages']

test.each([
  ['content', '; did you mean contents?'],
  ['Contents', '; did you mean contents?'],
  ['pull_request', '; did you mean pull_requests?'],
  ['pull-requests', '; did you mean pull_requests?'],
  ['page', '; did you mean pages?'],
  ['pagages', '; did you mean packages or pages?'],
  ['kittens', ''],
  ['', ''],
])('%j could have been meant to be one of the known names%s', (written, words) => {
  expect(didYouMean(written, known)).toBe(words)
})
