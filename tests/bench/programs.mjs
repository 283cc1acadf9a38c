// Starts programs on a core of their own and ends them: each by its id, whatever happens to this process.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

// Nothing is under way when a program is asked to end, so it need not be given time to finish.
const END_BOUND = 3000

const running = new Set()
// Also when this process ends by an exception that nobody expected. A program leads its own process group, so its workers
// end with it.
process.on('exit', () => { for (const child of running) killGroup(child.pid) })

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

// `ended` rejects when the program ends unasked; `stop` ends it with all its children.
// A `polite` program has the core only while nobody else wants it.
export function start(name, command, { core, polite = false, cwd, env = {} }) {
  const argv = ['taskset', '-c', String(core), ...(polite ? ['chrt', '--idle', '0'] : []), ...command]
  const child = spawn(argv[0], argv.slice(1), {
    cwd, detached: true, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (child.pid) running.add(child)

  let said = ''
  let stopping = false
  const listen = (text) => { said = (said + text).slice(-4000) }
  child.stdout.setEncoding('utf8').on('data', listen)
  child.stderr.setEncoding('utf8').on('data', listen)
  const exited = new Promise((resolve) => {
    child.once('error', (error) => resolve(`cannot be started: ${error.message}`))
    child.once('close', (code, signal) => resolve(`ended (${signal ?? code})`))
  }).then((how) => {
    running.delete(child)
    return how
  })
  const ended = exited.then((how) => {
    if (!stopping) throw new Error(`${name} ${how}:\n${said}`)
  })
  ended.catch(() => {})

  return {
    pid: child.pid,
    stdout: child.stdout,
    ended,
    stop: async () => {
      stopping = true
      if (!running.has(child)) return
      child.kill('SIGTERM')
      const impatience = setTimeout(() => killGroup(child.pid), END_BOUND)
      await exited
      clearTimeout(impatience)
      // A child that outlived its parent would keep the core busy for the next one measured.
      killGroup(child.pid)
    },
  }
}

// How a program gets its core before all others when it wakes. That takes a right that not everybody has.
const AT_ONCE = ['chrt', '--rr', '1']
const mayBeUrgent = spawnSync(AT_ONCE[0], [...AT_ONCE.slice(1), 'true']).status === 0

// Runs a program to its end; gives back what it wrote to standard output. An `urgent` one must not take all of its core.
export async function run(command, { core, signal, urgent = false }) {
  const argv = ['-c', String(core), ...(urgent && mayBeUrgent ? AT_ONCE : []), ...command]
  const child = spawn('taskset', argv, { signal, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text) => { output += text })
  child.stderr.setEncoding('utf8').on('data', (text) => { complaint = (complaint + text).slice(-2000) })
  const [code, by] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command[0]} ended (${by ?? code}): ${complaint || output.slice(-2000)}`)
  return output
}

// Below the ports that the kernel takes for outgoing connections, so that no client of a run sits on it before the server does.
const PORTS = { first: 20000, last: 32000 }

export async function freePort() {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first))
    const server = createServer()
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!free) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  throw new Error('found no free port')
}
