import assert from 'node:assert/strict'
import test from 'node:test'

import { compareWindows, median, medians, percentile, percentileOf, pooled, ratio, spread } from './statistics.mjs'

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

test('a percentile of a histogram is that of its values', () => {
  const histogram = [[1, 1], [2, 2], [5, 1]]
  for (const percent of [0, 25, 26, 50, 75, 76, 99, 100]) {
    assert.equal(percentileOf(histogram, percent), percentile([1, 2, 2, 5], percent), `${percent} %`)
  }
  assert.equal(percentileOf([], 50), null)
})

test('histograms are pooled value by value', () => {
  assert.deepEqual(pooled([[[3, 1], [10, 2]], [], [[2, 5], [3, 4]]]), [[2, 5], [3, 5], [10, 2]])
})

test('windows of a kind count as one, calm ones on both sides, and the control compares those', () => {
  const window = (requests, latency, more) => ({ requests, seconds: 1, errors: 1, histogram: [[latency, requests]], ...more })
  const found = compareWindows({
    before: [window(10, 100), window(10, 100)],
    during: [window(10, 150, { cpu: 20, others: 0 }), window(30, 300, { cpu: 40, others: 0.5 })],
    after: [window(10, 100), window(10, 200)],
  })
  assert.deepEqual(found, {
    requests: 40, seconds: 2, errors: 6, p50: 300, p99: 300, p999: 300, calm_p50: 100, calm_p99: 200, calm_p999: 200,
    to_calm: 1.5, control: 2, cpu: 35, others: 0.25,
  })
})
