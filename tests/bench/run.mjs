// Measures the gateway beside nginx and Varnish, under the same load and in front of the same handlers. See USAGE for the
// options, scenarios.mjs for what is measured, configurations.mjs for how the servers are set up.
//
//   one core: the server that is measured      other core: wrk, h2load or this process, and the handlers
//
// Rounds take turns (A B C A B C), so that a noisy minute of the machine is shared, and medians count.
import { execFileSync } from 'node:child_process'
import { setMaxListeners } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

import { chart } from './chart.mjs'
import { busyTime, cpuTime } from './measure.mjs'
import { summarize, text } from './report.mjs'
import { SCENARIOS } from './scenarios.mjs'
import { SERVERS, makeCertificate, startHandlers, startServer } from './servers.mjs'

const USAGE = `usage: node run.mjs [options]

  --scenarios "A B"   ${Object.keys(SCENARIOS).join(' ')}; \`hit\` means the three of them
  --servers "A B"     ${Object.keys(SERVERS).join(' ')}
  --keys N            keys of zipf; default 100000
  --rounds N          default 3
  --seconds N         of a round; default 3
  --output DIRECTORY  where results go; default target/bench

EVERGATE_BIN             the gateway; default: target/release/evergate
SERVER_CORE, LOAD_CORE   default: 0 and 1

Exit codes: 0 when everything was measured, 1 otherwise, 64 wrong usage.
`

const REPOSITORY = join(import.meta.dirname, '../..')

async function main() {
  const options = readOptions()
  const abort = new AbortController()
  // Whoever listens does so for one step, and there are many steps.
  setMaxListeners(0, abort.signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => abort.abort(new Error(`ended by ${signal}`)))
  // This process is load too.
  execFileSync('taskset', ['-a', '-c', '-p', String(options.core), String(process.pid)], { stdio: 'ignore' })

  // In memory, so that nobody's cache waits for a disk.
  const directory = mkdtempSync('/dev/shm/evergate-bench-')
  const remove = () => rmSync(directory, { recursive: true, force: true })
  process.on('exit', remove)
  const run = describe(options)
  if (os.loadavg()[0] > 1) say(`the machine is busy (load ${run.machine.load}), so figures will be off`)
  const context = { ...options, directory, metered, signal: abort.signal, certificate: makeCertificate({ directory }) }
  let handlers
  try {
    handlers = context.handlers = await startHandlers(context)
    const measured = []
    for (const name of options.scenarios) {
      measured.push(await Promise.race([measureScenario(name, context), ...handlers.ended]))
    }
    run.scenarios = summarize(measured)
    run.seconds = Math.round(process.uptime())
  } finally {
    await handlers?.stop()
  }
  write(run, options)
  return run.scenarios.some(({ servers }) => servers.some((server) => server.failed)) ? 1 : 0
}

// All servers of one scenario, each fresh, and one after the other in every round. A server that fails is left out from there
// on, and the report says why.
async function measureScenario(name, context) {
  const scenario = SCENARIOS[name]
  const results = new Map(context.servers.map((server) => [server, { name: server, cannot: scenario.cannot?.[server], rounds: [] }]))
  const started = new Map()
  const attempt = async (doing, server, step) => {
    const result = results.get(server)
    if (result.cannot) return
    say(`${name}: ${server}, ${doing}`)
    try {
      await Promise.race([step(started.get(server)), interruption(context.signal), ...(started.has(server) ? [started.get(server).ended] : [])])
    } catch (error) {
      if (context.signal.aborted) throw context.signal.reason
      say(`${name}: ${error.message}`)
      Object.assign(result, { cannot: `failed: ${error.message}`, failed: true, rounds: [] })
    }
  }
  const rounds = Math.min(scenario.rounds ?? Infinity, context.settings.rounds)
  const short = { ...context, settings: { ...context.settings, seconds: 1 } }
  try {
    for (const server of context.servers) {
      await attempt('preparing', server, async () => {
        started.set(server, await startServer(server, { ...context, core: context.serverCore }))
        await scenario.prepare?.(started.get(server), context)
        await scenario.check(started.get(server), context)
      })
    }
    if (scenario.warm !== false) {
      for (const server of started.keys()) await attempt('warming up', server, (running) => scenario.measure(running, short, 'warm'))
    }
    for (let round = 1; round <= rounds; round++) {
      for (const server of started.keys()) {
        await attempt(`round ${round} of ${rounds}`, server, async (running) => {
          const result = await scenario.measure(running, context, `round${round}`)
          results.get(server).rounds.push(result)
        })
      }
    }
  } finally {
    await Promise.all([...started.values()].map((server) => server.stop()))
    for (const server of started.values()) rmSync(server.directory, { recursive: true, force: true })
  }
  return { name, title: scenario.title, servers: [...results.values()] }
}

// Rejects when the run is asked to end.
function interruption(signal) {
  const rejection = new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  rejection.catch(() => {})
  return rejection
}

// Adds to what the work found how much processor time of the server each of its requests took, and which share of the server's
// core others took meanwhile: that should be nothing.
async function metered(server, work) {
  const begun = performance.now()
  const before = { server: cpuTime(server.pid), core: busyTime(server.core) }
  const result = await work()
  const used = cpuTime(server.pid) - before.server
  const others = busyTime(server.core) - before.core - used
  return {
    ...result,
    cpu: result.requests ? used / result.requests : null,
    others: Math.max(0, others) / ((performance.now() - begun) * 1000),
  }
}

function readOptions() {
  let values
  try {
    values = parseArgs({
      options: {
        scenarios: { type: 'string', default: '' },
        servers: { type: 'string', default: '' },
        keys: { type: 'string', default: '100000' },
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '3' },
        output: { type: 'string', default: join(REPOSITORY, 'target/bench') },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    wrongUsage(error.message)
  }
  if (values.help) {
    process.stdout.write(USAGE)
    process.exit(0)
  }
  const number = (name) => {
    const value = Number(values[name])
    return Number.isInteger(value) && value > 0 ? value : wrongUsage(`--${name} takes a whole number above 0`)
  }
  const serverCore = Number(process.env.SERVER_CORE ?? 0)
  const core = Number(process.env.LOAD_CORE ?? 1)
  if (os.availableParallelism() < 2 || serverCore === core) wrongUsage('server and load need a core each')
  return {
    scenarios: choose(values.scenarios.replace(/(^|\s)hit(?=\s|$)/g, '$1hit-1k hit-64k hit-304'), SCENARIOS, 'scenario'),
    servers: choose(values.servers, SERVERS, 'server'),
    output: resolve(values.output),
    evergate: resolve(process.env.EVERGATE_BIN || join(REPOSITORY, 'target/release/evergate')),
    serverCore,
    core,
    settings: { rounds: number('rounds'), seconds: number('seconds'), keys: number('keys'), connections: 32, streams: 10, crowd: crowd() },
  }
}

// As many connections as the limit for open files allows a server, whose handler's side needs some too.
function crowd() {
  const limit = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || Infinity
  return Math.min(10_000, limit - 1000)
}

// In the order in which they are listed, whatever the order that was asked for.
function choose(words, from, what) {
  const wanted = words.split(/\s+/).filter(Boolean)
  for (const word of wanted) if (!from[word]) wrongUsage(`there is no ${what} ${word}`)
  return Object.keys(from).filter((name) => wanted.length === 0 || wanted.includes(name))
}

function wrongUsage(problem) {
  process.stderr.write(`${problem}\n\n${USAGE}`)
  process.exit(64)
}

function describe({ servers, settings, evergate }) {
  const said = (command, ...words) => execFileSync(command, words, { encoding: 'utf8', cwd: REPOSITORY }).trim()
  const lscpu = JSON.parse(said('lscpu', '-J')).lscpu
  const cpu = (field) => lscpu.find((entry) => entry.field === `${field}:`)?.data
  const changed = said('git', 'status', '--porcelain', '--untracked-files=no') !== ''
  return {
    commit: said('git', 'rev-parse', '--short=10', 'HEAD') + (changed ? '-changed' : ''),
    date: new Date().toISOString().slice(0, 10),
    machine: {
      processor: cpu('Model name'),
      cores: os.cpus().length,
      memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
      virtual: cpu('Hypervisor vendor') ? `a virtual machine (${cpu('Hypervisor vendor')})` : 'no virtual machine',
      kernel: `${os.type()} ${os.release()}`,
      load: os.loadavg().map((load) => load.toFixed(2)).join(' '),
      lscpu: Object.fromEntries(lscpu.map(({ field, data }) => [field.replace(/:$/, ''), data])),
    },
    versions: {
      ...Object.fromEntries(servers.map((name) => [name, SERVERS[name].version({ evergate })])),
      wrk: readVersion('wrk -v', /wrk \S+/),
      h2load: readVersion('h2load --version', /nghttp2\/\S+/),
      node: process.version,
      system: readFileSync('/etc/os-release', 'utf8').match(/^PRETTY_NAME="?([^"\n]*)/m)?.[1],
    },
    settings,
  }
}

// Some say it on standard error, and with an exit code that is not 0.
function readVersion(command, pattern) {
  return execFileSync('sh', ['-c', `${command} 2>&1 || true`], { encoding: 'utf8' }).match(pattern)?.[0]
}

function write(run, { output }) {
  mkdirSync(output, { recursive: true })
  const base = join(output, `${run.date}-${run.commit}`)
  const report = text(run)
  writeFileSync(`${base}.json`, `${JSON.stringify(run, null, 2)}\n`)
  writeFileSync(`${base}.txt`, report)
  writeFileSync(`${base}.svg`, chart(run))
  process.stdout.write(`\n${report}\nwritten: ${base}.{json,txt,svg}\n`)
}

function say(line) {
  process.stderr.write(`${line}\n`)
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error.message)
    process.exit(1)
  },
)
