// Counts the instructions of a hit and of its parts under callgrind, and compares them with baseline.json: times are noisy, counts
// are not. `--bless` makes what was counted the baseline.
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'

import { compare, fails, table, TOLERANCE } from './compare.mjs'

const run = promisify(execFile)
const HITS = process.env.EVERGATE_HITS
const BASELINE = new URL('baseline.json', import.meta.url)

// What callgrind writes of a function is of no use without its name: this is where the cases are done (src/main.rs).
const CALLGRIND = [
  '--tool=callgrind', '--collect-atstart=no', '--toggle-collect=evergate_hits::counted*', '--callgrind-out-file=/dev/null',
]

// A memory copy is chosen by the processor, and so are a few loops; valgrind shows programs the one that it runs on. That is far
// within the tolerance, but another compiler need not be.
async function compiler() {
  const { stdout } = await run(process.env.RUSTC ?? 'rustc', ['-vV'])
  const line = (name) => stdout.match(new RegExp(`^${name}: (.*)$`, 'm'))?.[1] ?? 'unknown'
  return `rustc ${line('release')} for ${line('host')}`
}

async function cases() {
  const { stdout } = await run(HITS, [])
  return stdout.trim().split('\n').map((line) => line.split(' ')).map(([name, turns]) => ({ name, turns: Number(turns) }))
}

async function instructions({ name, turns }) {
  const { stderr } = await run('valgrind', [...CALLGRIND, HITS, name])
  const collected = Number(stderr.match(/Collected\s*:\s*(\d+)/)?.[1] ?? 0)
  if (!collected) throw new Error(`callgrind counted nothing of ${name}:\n${stderr}`)
  return Math.round(collected / turns)
}

async function count() {
  const waiting = await cases()
  const counts = Object.fromEntries(waiting.map(({ name }) => [name, 0]))
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) counts[next.name] = await instructions(next)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return counts
}

async function main() {
  const [used, counts] = [await compiler(), await count()]
  if (process.argv.includes('--bless')) {
    await writeFile(BASELINE, `${JSON.stringify({ compiler: used, instructions: counts }, null, 2)}\n`)
    console.log(`instructions of a turn, from now on the baseline (${used}):\n${table(compare(counts, counts))}`)
    return
  }
  const baseline = JSON.parse(await readFile(BASELINE, 'utf8'))
  const rows = compare(baseline.instructions, counts)
  console.log(`instructions of a turn (${used}):\n${table(rows)}`)
  if (used !== baseline.compiler) {
    console.log(`Not judged: the baseline is of ${baseline.compiler}. \`make bless-instructions\` makes one of this compiler.`)
  } else if (fails(rows)) {
    console.error(`A hit got more expensive by more than ${TOLERANCE * 100} %, or a case has no baseline. If that is meant and worth it, `
      + '`make bless-instructions` makes it the baseline, to be committed.')
    process.exitCode = 1
  } else if (rows.some(({ verdict }) => verdict === 'fell')) {
    console.log('The baseline can be lowered: `make bless-instructions`.')
  }
}

await main()
