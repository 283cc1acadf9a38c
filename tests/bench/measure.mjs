// What processes used, from /proc. Of a server all its processes count: masters, workers, cache managers.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const TICK_US = 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

// A process and all that descend from it.
export function processTree(root) {
  const childrenOf = new Map()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readStat(name)
    if (!stat) continue
    childrenOf.set(stat.parent, [...(childrenOf.get(stat.parent) ?? []), Number(name)])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(childrenOf.get(pid) ?? []))
  return tree
}

// User and system time that the processes have used since they began, with those of them that have ended, in microseconds.
export function cpuTime(root) {
  return processTree(root).reduce((sum, pid) => sum + (readStat(pid)?.ticks ?? 0), 0) * TICK_US
}

// Time that a core was not idle since the machine started, in microseconds, whoever used it.
export function busyTime(core) {
  return parseBusy(readFileSync('/proc/stat', 'utf8'), core) * TICK_US
}

// Time of guests is already in that of users, so it is left out.
export function parseBusy(text, core) {
  const [, fields] = text.match(new RegExp(`^cpu${core} (.*)$`, 'm'))
  const [user, nice, system, , , irq, softirq, steal] = fields.trim().split(/\s+/).map(Number)
  return user + nice + system + irq + softirq + steal
}

// Memory that is there because of the processes: what they share is divided among those who share it.
export function memory(root) {
  return processTree(root).reduce((sum, pid) => sum + proportionalSize(pid), 0)
}

function proportionalSize(pid) {
  try {
    const [, kib] = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Pss:\s+(\d+) kB$/m)
    return Number(kib) * 1024
  } catch {
    return 0 // It has ended since the tree was read.
  }
}

function readStat(pid) {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return null
  }
}

// The name of the program stands in parentheses and may itself have spaces and parentheses. Its time includes that of its children
// that have ended, so that what they used is not lost when one of them does (nginx has one that only lives for a minute).
export function parseStat(text) {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) }
}
