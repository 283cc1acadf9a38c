// Runs the public HTTP cache test suite (the npm package `http-cache-tests`) against a gateway, and compares what did not
// pass with known.txt. See USAGE for the options, and report.mjs for how a result is judged.
//
// One process holds the suite's client and its origin server; the gateway is between them:
//
//   suite's client ──► gateway, one route with `revalidate: origin` ──► suite's server on 127.0.0.1
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

import { getResults, runTests } from 'http-cache-tests/client/runner.mjs'
import { testUUIDs } from 'http-cache-tests/client/test.mjs'
import handleConfig from 'http-cache-tests/server/handle-config.mjs'
import handleState from 'http-cache-tests/server/handle-state.mjs'
import handleTest from 'http-cache-tests/server/handle-test.mjs'
import suites from 'http-cache-tests/tests/index.mjs'
import surrogateControl from 'http-cache-tests/tests/surrogate-control.mjs'
import fetch from 'node-fetch'

import { judge, print, readKnown } from './report.mjs'

const USAGE = `usage: node run.mjs [--heuristic] [--id ID] [--json]

  --heuristic        the route also sets \`heuristic_freshness: true\`
  --id ID            one test alone, with every request and response it makes
  --json             the report as JSON
  --origin-port N    the suite's server takes this port; needed with EVERGATE_ADDRESS

EVERGATE_BIN         the gateway to start; default: target/release/evergate
EVERGATE_ADDRESS     host:port of a gateway that runs already, in front of 127.0.0.1:N; --heuristic says what it does

Exit codes: 0 as known.txt says, 1 otherwise, 64 wrong usage.
`

const DEADLINE = 5 * 60 * 1000
const START_BOUND = 20 * 1000
// Nothing is under way when the gateway is asked to end, so it need not be given the time to finish requests.
const END_BOUND = 3 * 1000

// The gateway's configuration: the suite decides by header fields, so the handler's word counts on the only route.
// PUT /config/... and GET /state/..., by which the suite instructs its own server, pass.
function configuration(originPort, heuristic) {
  return `listen: [{ address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
log: { access: off }
upstreams: { suite: { servers: ["127.0.0.1:${originPort}"] } }
unmatched: pass
routes:
  - path: /test/[[...rest]]
    revalidate: origin
${heuristic ? '    heuristic_freshness: true\n' : ''}`
}

async function main() {
  const options = readOptions()
  const known = readKnown(readFileSync(join(import.meta.dirname, 'known.txt'), 'utf8'))
  const chosen = chooseTests(options.id)
  // The suite prints to standard output, where only the report belongs unless its dump is what was asked for.
  if (options.json || !options.id) console.log = console.error

  const interrupted = interruption()
  // What is begun here ends in the opposite order, whatever happens.
  const closers = []
  let aborted = null
  try {
    const origin = await startOrigin(options.originPort)
    closers.push(() => origin.close())
    const gateway = options.address ? runningGateway(options.address) : startGateway(origin.port, options.heuristic)
    closers.push(gateway.close)
    const run = async () => runTests(chosen, fetch, false, `http://${await gateway.address}`)
    await Promise.race([run(), gateway.ended, interrupted])
  } catch (error) {
    aborted = error.message
  }
  for (const close of closers.reverse()) await close()

  const verdict = judge({
    tests: chosen.flatMap((suite) => suite.tests).filter((test) => test.browser_only !== true),
    results: getResults(),
    // The suite gives every test a name of its own on the server when it begins.
    begun: Object.keys(testUUIDs),
    known: known.filter((entry) => !options.id || entry.id === options.id),
    mode: options.heuristic ? 'heuristic' : 'default',
    aborted,
  })
  print(verdict, options.json)
  return verdict.ok ? 0 : 1
}

function readOptions() {
  let options
  try {
    options = parseArgs({
      options: {
        heuristic: { type: 'boolean', default: false },
        id: { type: 'string' },
        json: { type: 'boolean', default: false },
        'origin-port': { type: 'string', default: '0' },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    wrongUsage(error.message)
  }
  if (options.help) {
    process.stdout.write(USAGE)
    process.exit(0)
  }
  const originPort = Number(options['origin-port'])
  const address = process.env.EVERGATE_ADDRESS
  if (!Number.isInteger(originPort) || originPort < 0 || originPort > 65535) wrongUsage('--origin-port takes a port')
  if (address && originPort === 0) wrongUsage('EVERGATE_ADDRESS is set, so --origin-port must say where that gateway finds the suite')
  return { ...options, originPort, address }
}

function wrongUsage(problem) {
  process.stderr.write(`${problem}\n\n${USAGE}`)
  process.exit(64)
}

// Every suite, or one with a single test that shows what it sends and receives.
function chooseTests(id) {
  const all = [...suites, surrogateControl]
  if (!id) return all
  for (const suite of all) {
    const test = suite.tests.find((test) => test.id === id && test.browser_only !== true)
    if (test) return [{ ...suite, tests: [{ ...test, dump: true }] }]
  }
  return wrongUsage(`the suite has no test ${id} for gateways`)
}

// Rejects when the run takes too long or is asked to end.
function interruption() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`not done after ${DEADLINE / 1000} s`)), DEADLINE).unref()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => reject(new Error(`ended by ${signal}`)))
  })
}

// The suite's server. Its own main module listens on every interface and serves its directory as files, so only its
// handlers are used.
async function startOrigin(port) {
  const handlers = { config: handleConfig, state: handleState, test: handleTest }
  const server = http.createServer((request, response) => {
    const [, name, ...rest] = new URL(request.url, 'http://127.0.0.1').pathname.split('/')
    try {
      if (Object.hasOwn(handlers, name)) return handlers[name](rest, request, response)
      response.writeHead(404).end()
    } catch (error) {
      console.error(`the suite's server failed on ${request.method} ${request.url}: ${error.stack}`)
      response.socket?.destroy()
    }
  })
  // Node.js gives up an idle connection after five seconds. A request that is on its way just then is sent again, and the
  // suite takes that for a fault of the gateway.
  server.keepAliveTimeout = DEADLINE
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: server.address().port,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

// A gateway that somebody else started, and will end.
function runningGateway(address) {
  return { address, ended: new Promise(() => {}), close: () => {} }
}

// Starts the gateway. `address` resolves when it is ready, `ended` rejects when it ends, `close` ends it.
function startGateway(originPort, heuristic) {
  const directory = mkdtempSync(join(tmpdir(), 'evergate-conformance-'))
  const config = join(directory, 'config.yaml')
  writeFileSync(config, configuration(originPort, heuristic))
  const binary = resolve(process.env.EVERGATE_BIN || join(import.meta.dirname, '../../target/release/evergate'))
  const child = spawn(binary, ['run', '--config', config], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  // Also when this process ends by an exception that nobody expected.
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)

  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { said = (said + text).slice(-4000) })
  const exited = new Promise((resolve) => {
    child.once('error', (error) => resolve(`${binary} cannot be started: ${error.message}`))
    child.once('close', (code, signal) => resolve(`the gateway ended (${signal ?? code}):\n${said}`))
  })
  const ended = exited.then((how) => { throw new Error(how) })
  // It also ends when it is told to; then nobody waits for this any more.
  ended.catch(() => {})

  return {
    address: Promise.race([announced(child.stdout), ended]),
    ended,
    close: async () => {
      child.kill('SIGTERM')
      const impatience = setTimeout(kill, END_BOUND)
      await exited
      clearTimeout(impatience)
      process.off('exit', kill)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

// Reads what the gateway prints when it starts, until it is ready; gives back where it listens.
async function announced(stdout) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`the gateway is not ready after ${START_BOUND / 1000} s`)), START_BOUND).unref()
    let address
    createInterface({ input: stdout }).on('line', (line) => {
      address ??= line.match(/^listening on http:\/\/(\S+)$/)?.[1]
      if (line === 'ready') resolve(address)
    })
  })
}

main().then(
  // After an interruption tests may still be waiting, so the process is ended when all is written.
  (code) => process.stdout.write('', () => process.exit(code)),
  (error) => {
    console.error(error.message)
    process.exit(1)
  },
)
