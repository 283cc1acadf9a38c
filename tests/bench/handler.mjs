// The handler that takes its time, for what nginx cannot do as a handler: answers late, ages that end together, uploads that
// are read to their end. A process of its own; the run instructs it over /control.
//
// It shares a core with the visitors, and what it works shows in how long they wait, whoever answers them. So what a storm asks for
// is read and answered here, with as little as a GET on a connection that is kept needs; the rest goes to the HTTP server of Node.js.
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'

const BODY = Buffer.from(process.argv[3], 'utf8')

let delay = 0
// When everything handed out goes stale, in milliseconds since 1970; in the past means an hour from now.
let staleAt = 0
const asked = new Map()

const http = createHttpServer((request, response) => {
  const [, name] = request.url.split(/[/?]/)
  if (name === 'control') return instruct(request, response)
  note(name)
  if (name === 'upload') return readAll(request, response)
  response.writeHead(404).end()
})
http.keepAliveTimeout = 600_000

// What a connection asks for first decides who reads it. No scenario asks for both on one.
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => {})
  socket.once('data', (first) => {
    if (slowly(first.toString('latin1'))) return serve(socket, first)
    socket.pause()
    socket.unshift(first)
    http.emit('connection', socket)
    socket.resume()
  })
})

const END = '\r\n\r\n'

// The name of what is answered slowly, by the beginning of a request.
function slowly(head) {
  return head.match(/^GET \/(storm|stampede)[/?]/)?.[1]
}

function serve(socket, first) {
  let text = ''
  const take = (piece) => {
    text += piece.toString('latin1')
    for (let end; (end = text.indexOf(END)) >= 0; text = text.slice(end + END.length)) {
      const name = slowly(text)
      if (!name) return socket.destroy()
      note(name)
      setTimeout(answer, delay, socket)
    }
  }
  socket.on('data', take)
  take(first)
}

function note(name) {
  asked.set(name, (asked.get(name) ?? 0) + 1)
}

function answer(socket) {
  const left = Math.ceil((staleAt - Date.now()) / 1000)
  socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\nDate: ${today()}\r\n`
    + `Cache-Control: max-age=${left > 0 ? left : 3600}, stale-while-revalidate=60${END}${BODY}`)
}

// The date as HTTP writes it, made once a second.
let date = { second: 0, text: '' }
function today() {
  const second = Math.floor(Date.now() / 1000)
  if (second !== date.second) date = { second, text: new Date().toUTCString() }
  return date.text
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

server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 })
