// What is measured. A scenario has
//   title       for readers
//   cannot      by server, why it is not measured there
//   rounds      how many at most: fewer where one takes long or says much what another scenario does
//   warm        false where a first round is like any other
//   prepare     what the cache must hold, once for each server
//   check       fails unless the server answers what is to be measured, so that no error page is
//   measure     one round; gives figures: requests, seconds, errors, cpu (microseconds per request), latencies, and others
// What they get: the server, a context (handlers, settings, core, signal, files, metered), and a label of the round that nothing
// else has.
import { writeFileSync } from 'node:fs'
import http2 from 'node:http2'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

import { BODIES, TRANSFER } from './configurations.mjs'
import { askTogether, closeAll, connectAll, transfer } from './crowd.mjs'
import { fill, h2load, wrk } from './load.mjs'
import { memory } from './measure.mjs'
import { ask, askEncrypted } from './servers.mjs'
import { compareWindows } from './statistics.mjs'
import { zipfSequence } from './zipf.mjs'

const SMALL = BODIES.small.length
const NO_CACHE = 'it answers itself and keeps nothing'
const NO_TLS = 'not supported: it leaves TLS to others'
const TRANSFER_SECONDS = 1

// A request, what must come back, and whether out of the cache. The floor has no cache and never says.
async function expect(server, path, { status = 200, length = SMALL, hit, headers = {}, fetch = (options) => ask(server.ports.http, options) }) {
  const answer = await fetch({ path, headers })
  const wrong = []
  if (answer.status !== status) wrong.push(`status ${answer.status}, not ${status}`)
  if (answer.length !== length) wrong.push(`${answer.length} bytes, not ${length}`)
  if (server.caches && server.hit(answer.headers) !== hit) wrong.push(hit ? 'not a hit' : 'a hit')
  if (wrong.length) throw new Error(`${server.name} answers ${path} with ${wrong.join(', ')}: ${JSON.stringify(answer.headers)}`)
}

// Asked for twice, the second time it is a hit.
async function expectKept(server, path, options = {}) {
  const { fetch = (options) => ask(server.ports.http, options) } = options
  await fetch({ path })
  await expect(server, path, { ...options, hit: true })
}

// The same URL again and again, out of the cache.
function hits(title, path, { rounds, ...options } = {}) {
  return {
    title,
    rounds,
    check: (server) => expectKept(server, path, options),
    measure: (server, context) => wrkRound(server, context, { path, headers: options.headers }),
  }
}

function wrkRound(server, context, options) {
  const { connections, seconds } = context.settings
  return context.metered(server, () => wrk({ port: server.ports.http, connections, seconds, ...options }, context))
}

function h2loadRound(server, context, options) {
  const { connections, streams, seconds } = context.settings
  return context.metered(server, () => h2load({ connections, streams, seconds, directory: context.directory, ...options }, context))
}

const MIXED_KEYS = 1000

export const SCENARIOS = {
  'hit-1k': hits('hit, 1 KiB of JSON', '/hit/1k'),
  'hit-64k': hits('hit, 64 KiB of JSON', '/hit/64k', { rounds: 2, length: BODIES.large.length }),
  'hit-304': hits('hit with If-None-Match, answered with 304', '/hit/304', { rounds: 2, status: 304, length: 0, headers: { 'If-None-Match': '"bench"' } }),

  zipf: {
    title: 'hits among many keys, few of them popular (Zipf)',
    prepare: async (server, context) => {
      if (server.caches) await fill({ port: server.ports.http, prefix: '/zipf/', count: context.settings.keys }, context)
    },
    check: async (server, { settings }) => {
      for (let sample = 0; sample < 20; sample++) {
        await expect(server, `/zipf/${Math.floor((sample / 20) * settings.keys)}`, { hit: true })
      }
    },
    measure: (server, context) => {
      const file = zipfFile(context)
      return wrkRound(server, context, { words: ['sequence', '/zipf/', file] })
    },
  },

  pass: {
    title: 'dynamic, nothing kept',
    check: async (server) => {
      await expect(server, '/pass/1', { hit: false })
      await expect(server, '/pass/1', { hit: false })
    },
    measure: (server, context) => wrkRound(server, context, { path: '/pass/1' }),
  },

  miss: {
    title: 'each URL for the first time, and kept',
    check: async (server) => {
      await expect(server, '/miss/check', { hit: false })
      await expect(server, '/miss/check', { hit: true })
    },
    measure: (server, context, label) => wrkRound(server, context, { words: ['unique', `/miss/${label}-`] }),
  },

  mixed: {
    title: `95 % hits among ${MIXED_KEYS} keys, 5 % misses`,
    rounds: 2,
    prepare: async (server, context) => {
      if (server.caches) await fill({ port: server.ports.http, prefix: '/mixed/', count: MIXED_KEYS }, context)
    },
    check: async (server) => {
      await expect(server, '/mixed/0', { hit: true })
      await expect(server, `/mixed/${MIXED_KEYS - 1}`, { hit: true })
      await expect(server, '/mixed/check', { hit: false })
    },
    measure: (server, context, label) => wrkRound(server, context, { words: ['mixed', '/mixed/', MIXED_KEYS, `/mixed/${label}-`, 20] }),
  },

  storm: {
    title: '10,000 keys go stale together, the handler takes 500 ms; latency of answers meanwhile and otherwise',
    rounds: 2,
    cannot: { floor: NO_CACHE },
    warm: false,
    check: async (server) => expectKept(server, '/storm/check'),
    measure: storm,
  },

  stampede: {
    title: 'a cold key asked for on 10,000 connections at once, the handler takes 1 s',
    cannot: { floor: NO_CACHE },
    warm: false,
    check: async (server) => expectKept(server, '/stampede/check'),
    measure: stampede,
  },

  upload: {
    title: '100 MiB, passed on as they come',
    cannot: { floor: 'it answers before it has read' },
    warm: false,
    check: async (server) => { await uploadOnce(server) },
    measure: (server, context) => transfers(server, context, () => uploadOnce(server)),
  },

  download: {
    title: '100 MiB, passed on as they come',
    warm: false,
    check: async (server) => { await downloadOnce(server) },
    measure: (server, context) => transfers(server, context, () => downloadOnce(server)),
  },

  idle: {
    title: 'memory for each idle connection, after one hit on it',
    rounds: 1,
    warm: false,
    check: (server) => expectKept(server, '/hit/1k'),
    measure: idle,
  },

  h2c: {
    title: 'hit of 1 KiB over HTTP/2 without TLS',
    rounds: 2,
    check: (server) => expectKept(server, '/hit/1k', { fetch: ({ path }) => askHttp2(server.ports.h2c, path) }),
    measure: (server, context) => h2loadRound(server, context, { port: server.ports.h2c, path: '/hit/1k' }),
  },

  tls: {
    title: 'hit of 1 KiB over TLS',
    rounds: 2,
    cannot: { varnish: NO_TLS },
    check: (server) => expectKept(server, '/hit/1k', { fetch: (options) => askEncrypted(server.ports.tls, options) }),
    measure: (server, context) => wrkRound(server, context, { port: server.ports.tls, scheme: 'https', path: '/hit/1k' }),
  },

  'tls-64k': {
    title: 'hit of 64 KiB over TLS',
    rounds: 2,
    cannot: { varnish: NO_TLS },
    check: (server) => expectKept(server, '/hit/64k', { length: BODIES.large.length, fetch: (options) => askEncrypted(server.ports.tls, options) }),
    measure: (server, context) => wrkRound(server, context, { port: server.ports.tls, scheme: 'https', path: '/hit/64k' }),
  },

  'tls-h2': {
    title: 'hit of 1 KiB over HTTP/2 with TLS',
    rounds: 2,
    cannot: { varnish: NO_TLS },
    check: (server) => expectKept(server, '/hit/1k', { fetch: ({ path }) => askHttp2(server.ports.tls, path, 'https') }),
    measure: (server, context) => h2loadRound(server, context, { port: server.ports.tls, scheme: 'https', path: '/hit/1k' }),
  },
}

// The same file for all servers and rounds; written by the first who needs it.
function zipfFile(context) {
  const { keys } = context.settings
  context.zipf ??= (() => {
    const file = join(context.directory, 'zipf.txt')
    writeFileSync(file, zipfSequence({ keys, exponent: 1, length: 500_000, seed: 1 }).join('\n'))
    return file
  })()
  return context.zipf
}

// Visitors at a steady pace, far below what any of the servers can do: what they wait for is then the storm and not the queue
// before a busy processor.
//
// What the storm adds is a few dozen microseconds to one answer in a hundred, and a machine's mood changes by more than that from
// one second to the next. So its windows take turns with calm ones: one before, one in the storm, one after, again and again. The
// calm ones ask for pages that are as many and do not go stale, and last as long together. All windows of a kind count as one, so
// that each percentile is one of enough answers, and what is compared was measured within the same seconds. Those before and those
// after differ in nothing: their ratio is what the measurement finds where there is nothing to be found. Visitors have their core
// before the handler: although that is polite, being asked as often as in a storm by something else made p99 of hits three times as
// long, and 1.07 times with visitors that are urgent.
const STORM = { keys: 10_000, connections: 32, pause: 5, turns: 3, calm: 1, during: 2, fill: 4, delay: 500, rest: 700 }

async function storm(server, context, label) {
  const [fresh, stale] = ['fresh', 'stale'].map((kind) => `/storm/${label}-${kind}-`)
  const visit = (prefix, seconds, seed) => wrk({
    port: server.ports.http, words: ['paced', prefix, STORM.keys, STORM.pause, seed], connections: STORM.connections, seconds, urgent: true,
  }, context)
  await context.handlers.instruct('delay=0')
  await fill({ port: server.ports.http, prefix: fresh, count: STORM.keys }, context)
  const staleAt = Date.now() + STORM.fill * 1000
  await context.handlers.instruct(`stale-at=${staleAt}`)
  await fill({ port: server.ports.http, prefix: stale, count: STORM.keys }, context)
  if (Date.now() > staleAt) throw new Error(`${server.name} took too long to fill, so keys went stale too early`)
  // Lifetimes are whole seconds, so the last key goes stale a second after the first.
  await pause(staleAt + 1100 - Date.now())
  await context.handlers.instruct(`delay=${STORM.delay}`)
  const [before, during, after] = [[], [], []]
  for (let turn = 0; turn < STORM.turns; turn++) {
    before.push(await visit(fresh, STORM.calm, turn))
    during.push(await context.metered(server, () => visit(stale, STORM.during, turn)))
    // Until what was asked of the handler has come.
    await pause(STORM.rest)
    after.push(await visit(fresh, STORM.calm, turn))
  }
  const { storm: refreshes = 0 } = await context.handlers.instruct('delay=0')
  return { ...compareWindows({ before, during, after }), handler_requests: refreshes }
}

async function stampede(server, context, label) {
  await context.handlers.instruct('delay=1000')
  const sockets = await connectAll(server.ports.http, context.settings.crowd)
  try {
    const { failed, ...figures } = await context.metered(server, async () => {
      const { answered, ...times } = await askTogether(sockets, `/stampede/${label}`)
      return { requests: answered, ...times }
    })
    const { stampede: runs = 0 } = await context.handlers.instruct('delay=0')
    return { ...figures, errors: failed, handler_requests: runs }
  } finally {
    closeAll(sockets)
  }
}

async function uploadOnce(server) {
  const answer = await transfer(server.ports.http, { path: '/upload', upload: TRANSFER })
  if (answer.status !== 200 || answer.body !== String(TRANSFER)) {
    throw new Error(`${server.name} answers an upload with ${answer.status}; of ${TRANSFER} bytes the handler got ${answer.body}`)
  }
}

async function downloadOnce(server) {
  const answer = await transfer(server.ports.http, { path: '/download' })
  if (answer.status !== 200 || answer.length !== TRANSFER) {
    throw new Error(`${server.name} answers a download with ${answer.status} and ${answer.length} bytes, not ${TRANSFER}`)
  }
}

// One after the other until the clock of processor time is fine enough.
async function transfers(server, context, once) {
  return context.metered(server, async () => {
    const begun = performance.now()
    const elapsed = () => (performance.now() - begun) / 1000
    let requests = 0
    while (elapsed() < TRANSFER_SECONDS || requests < 2) {
      await once()
      requests++
    }
    return { requests, seconds: elapsed(), errors: 0 }
  })
}

async function idle(server, context) {
  const count = context.settings.crowd
  await pause(200)
  const before = memory(server.pid)
  const sockets = await connectAll(server.ports.http, count)
  try {
    const { failed } = await askTogether(sockets, '/hit/1k')
    await pause(1000)
    return { connections: count, errors: failed, bytes_per_connection: (memory(server.pid) - before) / count, bytes_before: before }
  } finally {
    closeAll(sockets)
  }
}

function askHttp2(port, path, scheme = 'http') {
  return new Promise((resolve, reject) => {
    const session = http2.connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false })
    session.once('error', reject)
    const request = session.request({ ':path': path })
    let headers
    let length = 0
    request.on('response', (fields) => { headers = fields })
    request.on('data', (piece) => { length += piece.length })
    request.on('error', reject)
    request.on('end', () => {
      session.close()
      resolve({ status: headers[':status'], headers, length })
    })
  })
}
