// Starts the servers that are measured, and the two handlers behind them.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import * as configurations from './configurations.mjs'
import { freePort, start } from './programs.mjs'

const START_BOUND = 20_000

// In the order in which they are measured. `hit` tells by an answer's fields whether it came out of the cache.
export const SERVERS = {
  floor: {
    title: 'nginx, return 200 (floor)',
    caches: false,
    hit: () => true,
    command: (place) => nginxCommand(place, configurations.floor(place)),
    version: nginxVersion,
  },
  nginx: {
    title: 'nginx, proxy_cache',
    caches: true,
    hit: (fields) => fields['x-cache'] === 'HIT',
    command: (place) => nginxCommand(place, configurations.nginxCache(place)),
    version: nginxVersion,
  },
  varnish: {
    title: 'Varnish',
    caches: true,
    hit: (fields) => fields['x-cache'] === 'HIT',
    // HTTP/2 is found out by its preface, so one port does for both.
    sharesPort: true,
    command: (place) => {
      const vcl = join(place.directory, 'bench.vcl')
      writeFileSync(vcl, configurations.varnishVcl(place))
      return ['varnishd', ...configurations.varnishArguments({ ...place, vcl })]
    },
    // It is told on standard error.
    version: () => said('sh', '-c', 'varnishd -V 2>&1').match(/varnish-[\d.]+/)?.[0],
  },
  evergate: {
    title: 'Evergate',
    caches: true,
    hit: (fields) => fields['x-cache'] === 'HIT',
    sharesPort: true,
    command: (place) => {
      const config = join(place.directory, 'config.yaml')
      writeFileSync(config, configurations.evergate(place))
      return [place.evergate, 'run', '--config', config]
    },
    version: ({ evergate }) => `${said(evergate, '--version')}, SHA-256 ${sha256(evergate).slice(0, 16)}`,
  },
}

function nginxCommand({ directory }, configuration) {
  const file = join(directory, 'nginx.conf')
  writeFileSync(file, configuration)
  // Without -e it would begin with a file in the system's directory for logs.
  return ['nginx', '-e', 'stderr', '-p', directory, '-c', file]
}

function nginxVersion() {
  return said('sh', '-c', 'nginx -v 2>&1').match(/nginx\/\S+/)?.[0]
}

function said(...command) {
  return execFileSync(command[0], command.slice(1), { encoding: 'utf8' }).trim()
}

function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

// One for all servers. Of the kind that certificate authorities give out today.
export function makeCertificate({ directory }) {
  const [certificate, key] = ['cert.pem', 'key.pem'].map((name) => join(directory, name))
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-keyout', key, '-out', certificate], { stdio: 'pipe' })
  return { certificate, key }
}

// Both handlers, for the whole run. `instruct` tells the slow one what to do, and gives back what it was asked for.
export async function startHandlers({ directory, core }) {
  const files = join(directory, 'files')
  mkdirSync(files, { recursive: true })
  writeFileSync(join(files, 'download'), '')
  truncateSync(join(files, 'download'), configurations.TRANSFER)

  const ports = { fast: await freePort(), slow: await freePort() }
  const place = { directory: join(directory, 'handler'), ports: { http: ports.fast }, files }
  mkdirSync(place.directory)
  const fast = start('the handler', nginxCommand(place, configurations.handler(place)), { core })
  // Polite, so that the wait of a visitor for the processor is not taken for the server's.
  const script = join(import.meta.dirname, 'handler.mjs')
  const slow = start('the slow handler', [process.execPath, script, String(ports.slow), configurations.BODIES.small], { core, polite: true })
  const handlers = {
    ports,
    files,
    ended: [fast.ended, slow.ended],
    stop: async () => { await Promise.all([fast.stop(), slow.stop()]) },
    instruct: async (query = '') => JSON.parse((await ask(ports.slow, { path: `/control?${query}` })).body),
  }
  await answers(ports.fast, '/', fast.ended)
  await answers(ports.slow, '/control', slow.ended)
  return handlers
}

// A fresh server with an empty cache.
export async function startServer(name, { directory, core, handlers, certificate, evergate }) {
  const kind = SERVERS[name]
  const main = await freePort()
  const ports = { http: main, h2c: kind.sharesPort ? main : await freePort(), tls: await freePort() }
  const place = { directory: join(directory, name), ports, handlers: handlers.ports, files: handlers.files, certificate, evergate }
  mkdirSync(place.directory, { recursive: true })
  const program = start(name, kind.command(place), { core, cwd: place.directory })
  try {
    await answers(main, '/hit/ready', program.ended)
  } catch (error) {
    await program.stop()
    throw error
  }
  return { name, ...kind, core, ports, directory: place.directory, pid: program.pid, ended: program.ended, stop: program.stop }
}

// Waits until the path is answered with 200.
async function answers(port, path, ended) {
  const end = Date.now() + START_BOUND
  for (;;) {
    const answer = await Promise.race([ask(port, { path }).catch(() => null), ended])
    if (answer?.status === 200) return
    if (Date.now() > end) throw new Error(`no 200 for ${path} after ${START_BOUND / 1000} s`)
    await pause(20)
  }
}

// One request on a connection of its own. Over TLS it does not matter whose certificate that is.
export function ask(port, { path, method = 'GET', headers = {}, body, over = http }) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, agent: false, timeout: 30_000, rejectUnauthorized: false }
    const request = over.request(options, (response) => {
      const pieces = []
      let length = 0
      response.on('data', (piece) => {
        length += piece.length
        if (length <= 65_536) pieces.push(piece)
      })
      response.on('error', reject)
      response.on('end', () => resolve({
        status: response.statusCode, headers: response.headers, length, body: Buffer.concat(pieces).toString('latin1'),
      }))
    })
    request.on('timeout', () => request.destroy(new Error(`no answer to ${path}`)))
    request.on('error', reject)
    request.end(body)
  })
}

// The same over TLS.
export function askEncrypted(port, options) {
  return ask(port, { ...options, over: https })
}
