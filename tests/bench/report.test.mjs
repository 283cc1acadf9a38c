import assert from 'node:assert/strict'
import test from 'node:test'

import { chart } from './chart.mjs'
import { jsonBody } from './configurations.mjs'
import { AnswerReader } from './crowd.mjs'
import { readLatencies, readSummary } from './load.mjs'
import { parseBusy, parseStat } from './measure.mjs'
import { summarize, text, time } from './report.mjs'

const MEASURED = [
  {
    name: 'pass',
    title: 'pass-through',
    servers: [
      { name: 'floor', rounds: [{ requests: 100, seconds: 2, cpu: 10, p50: 100, errors: 0 }] },
      { name: 'nginx', rounds: [{ requests: 100, seconds: 2, cpu: 20, p50: 100, errors: 0 }] },
      {
        name: 'evergate',
        rounds: [28, 30, 90].map((cpu) => ({ requests: 300, seconds: 2, cpu, p50: 1500, errors: 0 })),
      },
    ],
  },
  { name: 'tls', title: 'HTTPS', servers: [{ name: 'evergate', cannot: 'not supported' }] },
]

function runOf(scenarios) {
  return {
    commit: 'abc', date: '2026-01-02', versions: { nginx: 'nginx/1' }, settings: { rounds: 3 }, scenarios,
    machine: { processor: 'A & B', cores: 2, memory: '4 GiB', virtual: 'no virtual machine', kernel: 'Linux 6', load: '0.1' },
  }
}

test('a summary has medians, rates, and ratios to nginx and the floor', () => {
  const [pass, tls] = summarize(MEASURED)
  const evergate = pass.servers.at(-1)
  assert.equal(evergate.cpu, 30)
  assert.equal(evergate.rate, 150)
  assert.equal(evergate.cpu_to_nginx, 1.5)
  assert.equal(evergate.cpu_to_floor, 3)
  assert.equal(evergate.rounds.length, 3)
  assert.deepEqual(tls.servers, [{ name: 'evergate', cannot: 'not supported' }])
})

test('without nginx there is no ratio to it', () => {
  const [pass] = summarize([{ ...MEASURED[0], servers: [MEASURED[0].servers.at(-1)] }])
  assert.equal(pass.servers[0].cpu_to_nginx, null)
  assert.match(text(runOf([pass])), /evergate +30 us +150 +1\.5 ms +- +- +- +- +103 % +- +0/)
})

test('what cannot be measured is a reason and not a figure', () => {
  const report = text(runOf(summarize(MEASURED)))
  assert.match(report, /tls: HTTPS\n.*\n  evergate +not supported\n/)
  assert.match(report, /evergate .* 1\.50x +3\.00x/)
})

test('the chart draws what was measured and escapes what it quotes', () => {
  const drawing = chart(runOf(summarize(MEASURED)))
  assert.equal(drawing.match(/<rect x=/g).length, 3)
  assert.match(drawing, /A &#38; B/)
  assert.doesNotMatch(drawing, /HTTPS/)
})

test('times have three figures and a fitting unit', () => {
  const cases = [[0, '0 us'], [1.2345, '1.23 us'], [999, '999 us'], [1234, '1.23 ms'], [123456, '123 ms'], [2_000_000, '2 s']]
  for (const [us, expected] of cases) assert.equal(time(us), expected)
})

test('bodies are JSON of the length that was asked for', () => {
  for (const length of [1024, 65_536]) {
    const body = jsonBody(length)
    assert.equal(body.length, length)
    JSON.parse(body)
  }
})

test("processor time, with that of children that have ended, is found behind a program's name, whatever the name", () => {
  const stat = '7 (a) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 50 60 70 80 20 0'
  assert.deepEqual(parseStat(stat), { parent: 3, ticks: 260 })
})

test('a core is busy with everything but idling and waiting', () => {
  const stat = 'cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 4 100 200 8 16 32 64 128\ncpu1 1 1 1 1 1 1 1 1 1 1\n'
  assert.equal(parseBusy(stat, 0), 63)
  assert.equal(parseBusy(stat, 1), 6)
})

test("h2load's summary and log are read", () => {
  assert.deepEqual(readSummary('x\nstatus codes: 10 2xx, 1 3xx, 2 4xx, 3 5xx\n'), { requests: 10, failed: 5 })
  assert.throws(() => readSummary('nothing'))
  assert.deepEqual([...readLatencies('1\t200\t30\n2\t200\t9\n\n')], [9, 30])
})

test('an answer is whole when as much has come as it said', () => {
  const pieces = ['HTTP/1.1 200 OK\r\nContent-Le', 'ngth: 5\r\n\r\nab', 'cde']
  const reader = new AnswerReader()
  assert.deepEqual(pieces.map((piece) => reader.take(Buffer.from(piece))), [false, false, true])
  assert.equal(reader.status, 200)
  assert.equal(reader.length, 5)
  const unmeasured = new AnswerReader()
  assert.equal(unmeasured.take(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')), true)
  assert.equal(unmeasured.status, null)
})
