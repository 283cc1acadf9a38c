import assert from 'node:assert/strict'
import test from 'node:test'

import { seededRandom, zipfSampler, zipfSequence } from './zipf.mjs'

test('the sampler follows the law', () => {
  const draws = 200_000
  const counts = new Array(10).fill(0)
  const draw = zipfSampler(10, 1, seededRandom(7))
  for (let made = 0; made < draws; made++) counts[draw()]++
  const harmonic = counts.reduce((sum, _, index) => sum + 1 / (index + 1), 0)
  for (const [index, count] of counts.entries()) {
    const expected = draws / (index + 1) / harmonic
    assert.ok(Math.abs(count - expected) < expected * 0.05, `index ${index}: ${count} draws, expected about ${expected}`)
  }
})

test('the sampler reaches both ends', () => {
  const ends = [[() => 0, 0], [() => 1 - 2 ** -32, 99]]
  for (const [random, expected] of ends) assert.equal(zipfSampler(100, 1, random)(), expected)
})

test('a sequence is the same for the same seed, and stays among the keys', () => {
  const options = { keys: 50, exponent: 1, length: 1000, seed: 3 }
  const sequence = zipfSequence(options)
  assert.deepEqual(zipfSequence(options), sequence)
  assert.notDeepEqual(zipfSequence({ ...options, seed: 4 }), sequence)
  assert.ok(sequence.every((key) => Number.isInteger(key) && key >= 0 && key < 50))
})

test('random numbers are spread over their range', () => {
  const random = seededRandom(1)
  const values = Array.from({ length: 10_000 }, random)
  assert.ok(values.every((value) => value >= 0 && value < 1))
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  assert.ok(Math.abs(mean - 0.5) < 0.02, `mean ${mean}`)
})
