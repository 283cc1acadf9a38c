// The handler that takes its time, for what nginx cannot do as a handler: answers late, ages that end together, uploads that
// are read to their end. A process of its own; the run instructs it over /control.
import { createServer } from 'node:http'

const BODY = Buffer.from(process.argv[3], 'utf8')

let delay = 0
// When everything handed out goes stale, in milliseconds since 1970; in the past means an hour from now.
let staleAt = 0
const asked = new Map()

const server = createServer((request, response) => {
  const [, name] = request.url.split(/[/?]/)
  if (name === 'control') return instruct(request, response)
  asked.set(name, (asked.get(name) ?? 0) + 1)
  if (name === 'upload') return readAll(request, response)
  if (name === 'storm' || name === 'stampede') return setTimeout(answer, delay, response)
  response.writeHead(404).end()
})

function answer(response) {
  const left = Math.ceil((staleAt - Date.now()) / 1000)
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': BODY.length,
    'cache-control': `max-age=${left > 0 ? left : 3600}, stale-while-revalidate=60`,
  })
  response.end(BODY)
}

function readAll(request, response) {
  let length = 0
  request.on('data', (piece) => { length += piece.length })
  request.on('end', () => {
    const text = String(length)
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': text.length, 'cache-control': 'no-store' })
    response.end(text)
  })
}

// Sets what the query says, and tells how often each first segment was asked for since the last time.
function instruct(request, response) {
  const query = new URL(request.url, 'http://127.0.0.1').searchParams
  if (query.has('delay')) delay = Number(query.get('delay'))
  if (query.has('stale-at')) staleAt = Number(query.get('stale-at'))
  response.end(JSON.stringify(Object.fromEntries(asked)))
  asked.clear()
}

server.keepAliveTimeout = 600_000
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 })
