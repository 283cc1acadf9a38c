// What a run found, for readers.
import { medians, ratio, spread } from './statistics.mjs'

// From the rounds of each scenario and server to medians and ratios.
//
// `measured` is [{ name, title, servers: [{ name, rounds } or { name, cannot }] }].
export function summarize(measured) {
  return measured.map((scenario) => {
    const figures = new Map()
    for (const { name, rounds } of scenario.servers) {
      if (rounds?.length) figures.set(name, { ...medians(rounds.map(withRate)), spread: spread(rounds.map((round) => round.cpu ?? 0)) })
    }
    const cpuOf = (name) => figures.get(name)?.cpu
    const servers = scenario.servers.map(({ name, rounds, cannot, failed }) => {
      const found = figures.get(name)
      if (!found) return { name, cannot: cannot ?? 'not measured', ...(failed && { failed }) }
      return {
        name, ...found,
        cpu_to_nginx: ratio(found.cpu, cpuOf('nginx')),
        cpu_to_floor: ratio(found.cpu, cpuOf('floor')),
        rounds,
      }
    })
    return { name: scenario.name, title: scenario.title, servers }
  })
}

function withRate(round) {
  return round.seconds ? { ...round, rate: round.requests / round.seconds } : round
}

// Which figures a scenario shows: [heading, figure, how].
const LATENCIES = [['p50', 'p50', time], ['p99', 'p99', time], ['p99.9', 'p999', time]]
const RATIOS = [['CPU/nginx', 'cpu_to_nginx', times], ['CPU/floor', 'cpu_to_floor', times]]
const CPU = ['CPU/request', 'cpu', time]
const LAST = [['rounds ±', 'spread', percent], ['others', 'others', percent], ['errors', 'errors', whole]]
const USUAL = [CPU, ['requests/s', 'rate', whole], ...LATENCIES, ...RATIOS, ...LAST]
const TRANSFERS = [['CPU/transfer', 'cpu', time], ['MiB/s', 'rate', (rate) => whole(rate * 100)], ...RATIOS, ...LAST]
const COLUMNS = {
  storm: [CPU, ['p50 calm', 'calm_p50', time], ['p99 calm', 'calm_p99', time], ['p99.9 calm', 'calm_p999', time],
    ['p50', 'p50', time], ['p99', 'p99', time], ['p99.9', 'p999', time], ['p99/calm', 'to_calm', times], ['control', 'control', times],
    ['refreshes', 'handler_requests', whole], ['others', 'others', percent], ['errors', 'errors', whole]],
  stampede: [CPU, ['handler got', 'handler_requests', whole], ['answered', 'requests', whole], ['p50', 'p50', time], ['p99', 'p99', time],
    ['last', 'last', time], ['others', 'others', percent], ['failed', 'errors', whole]],
  upload: TRANSFERS,
  download: TRANSFERS,
  idle: [['KiB/connection', 'bytes_per_connection', kib], ['MiB before', 'bytes_before', mib], ['connections', 'connections', whole], ['failed', 'errors', whole]],
}

export function text(run) {
  return `${[heading(run), ...run.scenarios.map(table), NOTES].join('\n\n')}\n`
}

function heading({ commit, date, machine, versions, settings, seconds }) {
  const lines = [
    `Evergate ${commit}, ${date}`,
    '',
    `machine    ${machine.processor}, ${machine.cores} cores, ${machine.memory} of memory, ${machine.virtual}`,
    `kernel     ${machine.kernel}`,
    `load       ${machine.load} when it began${seconds ? `; the run took ${seconds} s` : ''}`,
    ...Object.entries(versions).map(([name, version]) => `${name.padEnd(10)} ${version}`),
    `settings   ${Object.entries(settings).map(([name, value]) => `${name} ${value}`).join(', ')}`,
  ]
  return lines.join('\n')
}

const NOTES = `CPU/request is user and system time of all processes of the server, divided by the requests that were answered. It is a
median over rounds, as every other figure; "rounds ±" is half the distance between the cheapest and the dearest round.
"others" is the share of the server's core that other programs took meanwhile; where it is much, nothing else in the row is worth much.
The server has one core; load and handler share the other, so requests/s is bounded by the load too where CPU/request is small.
The floor answers by itself, with the same bodies and without a cache or a handler: what is above it is the price of those.
Latencies are those of a closed loop at full speed, except in storm, where visitors come at a steady pace; wrk adds the requests
that a late answer kept from being sent (coordinated omission). In storm, CPU/request includes the refreshes; p99/calm is what the
storm makes of p99, and the control what the same windows find where nothing goes stale: 1, but for what the measurement itself errs by.
No server writes an access log. Varnish keeps its log in shared memory, as it always does.`

function table({ name, title, servers }) {
  const columns = COLUMNS[name] ?? USUAL
  const rows = [['', ...columns.map(([label]) => label)]]
  for (const server of servers) {
    rows.push(server.cannot ? [server.name, server.cannot] : [server.name, ...columns.map(([, figure, how]) => shown(server[figure], how))])
  }
  return `${name}: ${title}\n${align(rows)}`
}

function shown(value, how) {
  return value === null || value === undefined ? '-' : how(value)
}

// The first column to the left, figures to the right; a row with a reason instead of figures runs on.
function align(rows) {
  const full = rows.filter((row) => row.length === rows[0].length)
  const widths = rows[0].map((_, column) => Math.max(...full.map((row) => row[column].length), column === 0 ? 10 : 0))
  return rows.map((row) => {
    if (row.length !== rows[0].length) return `  ${row[0].padEnd(widths[0])}  ${row[1]}`
    return `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ')}`
  }).join('\n')
}

// Three figures are all that rounds agree on.
function significant(value) {
  if (value === 0) return '0'
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
}

export function time(us) {
  if (us < 1000) return `${significant(us)} us`
  if (us < 1e6) return `${significant(us / 1000)} ms`
  return `${significant(us / 1e6)} s`
}

export function whole(value) {
  return Math.round(value).toLocaleString('en-US')
}

function times(value) {
  return `${value.toFixed(2)}x`
}

function percent(value) {
  return `${(value * 100).toFixed(0)} %`
}

function kib(bytes) {
  return significant(bytes / 1024)
}

function mib(bytes) {
  return significant(bytes / 1024 / 1024)
}
