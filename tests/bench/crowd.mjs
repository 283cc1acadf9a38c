// Visitors of whom each has a connection of its own, and long transfers: what wrk cannot do.
import { once } from 'node:events'
import net from 'node:net'

import { percentile } from './statistics.mjs'

// So many connect at a time, fewer than any backlog.
const AT_ONCE = 500
const ANSWER_BOUND = 30_000

export async function connectAll(port, count) {
  const sockets = []
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () => net.connect({ host: '127.0.0.1', port, noDelay: true }))
    await Promise.all(batch.map((socket) => once(socket, 'connect')))
    // What goes wrong from here on is seen where an answer is waited for.
    for (const socket of batch) socket.on('error', () => {})
    sockets.push(...batch)
  }
  return sockets
}

// With a reset, so that no port has to wait before it is used again.
export function closeAll(sockets) {
  for (const socket of sockets) socket.resetAndDestroy()
}

// Everybody asks for the path at once. Microseconds from the first request sent to the answers.
export async function askTogether(sockets, path) {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`
  const begun = process.hrtime.bigint()
  const answers = await Promise.all(sockets.map(async (socket) => {
    const answer = readAnswer(socket)
    socket.write(request)
    const status = await answer
    return { status, after: Number(process.hrtime.bigint() - begun) / 1000 }
  }))
  const good = answers.filter((answer) => answer.status === 200)
  const times = good.map((answer) => answer.after).sort((a, b) => a - b)
  return { answered: good.length, failed: answers.length - good.length, p50: percentile(times, 50), p99: percentile(times, 99), last: times.at(-1) ?? null }
}

// Resolves to the status when the answer has come whole, or to null when it does not come.
function readAnswer(socket) {
  return new Promise((resolve) => {
    const reader = new AnswerReader()
    const finish = (status) => {
      clearTimeout(impatience)
      socket.removeAllListeners('data').removeListener('close', onClose)
      resolve(status)
    }
    const onClose = () => finish(null)
    const impatience = setTimeout(onClose, ANSWER_BOUND)
    socket.once('close', onClose)
    socket.on('data', (piece) => { if (reader.take(piece)) finish(reader.status) })
  })
}

// Reads one answer that says how long it is; any other is counted as none.
export class AnswerReader {
  #head = ''
  #left = null
  status = null
  length = 0

  // True when the answer is whole.
  take(piece) {
    if (this.#left !== null) return this.#body(piece.length)
    this.#head += piece.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) return false
    const length = this.#head.slice(0, end).match(/\r\ncontent-length: *(\d+)/i)
    if (length) this.status = Number(this.#head.slice(9, 12))
    this.#left = Number(length?.[1] ?? 0)
    return this.#body(this.#head.length - end - 4)
  }

  #body(length) {
    this.length += length
    this.#left -= length
    return this.#left <= 0
  }
}

const PIECE = Buffer.alloc(256 * 1024)

// One transfer on a connection of its own; gives back what the answer's status and length were.
export async function transfer(port, { path, upload = 0 }) {
  const socket = net.connect({ host: '127.0.0.1', port })
  await once(socket, 'connect')
  const reader = new AnswerReader()
  let text = ''
  const answered = new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`${path} was cut`)))
    socket.on('data', (piece) => {
      if (upload) text += piece.toString('latin1')
      if (reader.take(piece)) resolve()
    })
  })
  answered.catch(() => {})
  socket.write(upload
    ? `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${upload}\r\n\r\n`
    : `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  for (let sent = 0; sent < upload; sent += PIECE.length) {
    const more = socket.write(PIECE.subarray(0, Math.min(PIECE.length, upload - sent)))
    if (!more) await Promise.race([once(socket, 'drain'), answered])
  }
  await answered
  socket.removeAllListeners('close').resetAndDestroy()
  return { status: reader.status, length: reader.length, body: text.slice(text.indexOf('\r\n\r\n') + 4) }
}
