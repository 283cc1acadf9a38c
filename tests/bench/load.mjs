// Load from outside programs: wrk for HTTP/1.1, h2load for HTTP/2. Both give { requests, seconds, errors, p50, p99, p999 } with
// latencies in microseconds.
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { run } from './programs.mjs'
import { percentile } from './statistics.mjs'

const SCRIPT = join(import.meta.dirname, 'requests.lua')

export async function wrk({ port, scheme = 'http', path = '/', words = [], headers = {}, connections, seconds, urgent }, context) {
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const output = await run(['wrk', '-t', '1', '-c', String(connections), '-d', String(seconds), '-s', SCRIPT, ...fields,
    `${scheme}://127.0.0.1:${port}${path}`, '--', ...words.map(String)], { ...context, urgent })
  const result = output.match(/^RESULT (.*)$/m)
  if (!result) throw new Error(`wrk gave no result: ${output.slice(-500)}`)
  return JSON.parse(result[1])
}

// Asks for each of `count` keys once. The script ends wrk when it is through, so there is no result.
export async function fill({ port, prefix, count, connections = 64 }, context) {
  const output = await run(['wrk', '-t', '1', '-c', String(connections), '-d', '600', '-s', SCRIPT, `http://127.0.0.1:${port}/`,
    '--', 'walk', prefix, String(count)], context)
  if (output.includes('RESULT')) throw new Error(`${prefix} was not filled with ${count} keys in 600 s`)
}

export async function h2load({ port, scheme = 'http', path, connections, streams, seconds, directory }, context) {
  const log = join(directory, 'h2load.log')
  rmSync(log, { force: true })
  const output = await run(['h2load', '-t', '1', '-c', String(connections), '-m', String(streams), '-D', String(seconds),
    `--log-file=${log}`, `${scheme}://127.0.0.1:${port}${path}`], context)
  const { requests, failed } = readSummary(output)
  const latencies = readLatencies(readFileSync(log, 'latin1'))
  rmSync(log)
  return {
    requests, seconds, errors: failed,
    p50: percentile(latencies, 50), p99: percentile(latencies, 99), p999: percentile(latencies, 99.9),
  }
}

// Only answers with a status of success count as requests.
export function readSummary(output) {
  const statuses = output.match(/^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/m)
  if (!statuses) throw new Error(`h2load gave no result: ${output.slice(-500)}`)
  const [ok, , client, server] = statuses.slice(1).map(Number)
  return { requests: ok, failed: client + server }
}

// The third column of h2load's log, sorted.
export function readLatencies(text) {
  const latencies = []
  for (const line of text.split('\n')) {
    const fields = line.split('\t')
    if (fields.length >= 3) latencies.push(Number(fields[2]))
  }
  return Float64Array.from(latencies).sort()
}
