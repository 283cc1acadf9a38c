import assert from 'node:assert/strict'
import test from 'node:test'

import { median, medians, percentile, ratio, spread } from './statistics.mjs'

test('percentile takes the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  const cases = [
    [[], 50, null],
    [[7], 0, 7],
    [[7], 99.9, 7],
    [[1, 2], 50, 1],
    [[1, 2], 51, 2],
    [hundred, 50, 50],
    [hundred, 99, 99],
    [hundred, 99.9, 100],
    [hundred, 100, 100],
  ]
  for (const [sorted, percent, expected] of cases) {
    assert.equal(percentile(sorted, percent), expected, `${percent} % of ${sorted.length} values`)
  }
})

test('median is the middle, and passes over what was not measured', () => {
  const cases = [
    [[], null],
    [[null, undefined], null],
    [[3], 3],
    [[3, 1, 2], 2],
    [[10, 9], 9.5],
    [[4, null, 2], 3],
  ]
  for (const [values, expected] of cases) assert.equal(median(values), expected, JSON.stringify(values))
})

test('medians takes each figure by itself', () => {
  assert.deepEqual(medians([{ a: 1, b: 5 }, { a: 3 }, { a: 2 }]), { a: 2, b: 5 })
})

test('spread is half the distance of the extremes, as a share of the median', () => {
  assert.equal(spread([90, 100, 110]), 0.1)
  assert.equal(spread([5]), 0)
  assert.equal(spread([0, 0]), null)
})

test('ratio needs both sides', () => {
  const cases = [[1, 2, 0.5], [null, 2, null], [undefined, 2, null], [1, undefined, null], [1, 0, null]]
  for (const [value, base, expected] of cases) assert.equal(ratio(value, base), expected)
})
