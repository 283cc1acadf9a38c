// How the results of the suite are judged and shown.
//
// The suite has three kinds of tests: `required` (a cache that fails one is wrong), `optimal` (a cache that fails one is
// slower than it could be) and `check` (a question, to which yes and no are both good answers). A result is `true`, or a
// pair of who gave up and why: `Setup` when the test could not be brought about, `Assertion` when its point was missed.

// Reads known.txt, whose own head describes its lines. Throws an error that names every line it cannot read.
export function readKnown(text) {
  const entries = []
  const problems = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const match = line.match(/^(\S+)\s+(required|optimal)\s+(?:\[(default|heuristic)\]\s+)?([^\s[].*)$/)
    if (!match) problems.push(`line ${index + 1}: expected "id  kind  [mode]  reason", found "${line}"`)
    else if (entries.some((entry) => entry.id === match[1])) problems.push(`line ${index + 1}: ${match[1]} is listed twice`)
    else entries.push({ id: match[1], kind: match[2], mode: match[3] ?? null, reason: match[4].trim() })
  }
  if (problems.length > 0) throw new Error(`known.txt cannot be read:\n  ${problems.join('\n  ')}`)
  return entries
}

// Compares what happened with what is known. The run is good when exactly the listed tests did not pass.
export function judge({ tests, results, begun, known, mode, aborted }) {
  const expected = new Map(known.filter((entry) => entry.mode === null || entry.mode === mode).map((entry) => [entry.id, entry]))
  const totals = { required: { passed: 0, total: 0 }, optimal: { passed: 0, total: 0 }, check: { passed: 0, total: 0 } }
  const checks = {}
  const failures = []
  const problems = aborted === null ? [] : [aborted]
  for (const entry of known) {
    const test = tests.find((test) => test.id === entry.id)
    if (!test) problems.push(`${entry.id} is listed, and the suite has no such test: remove it from known.txt`)
    else if (kindOf(test) !== entry.kind) problems.push(`${entry.id} is listed as ${entry.kind}, and is ${kindOf(test)}`)
  }

  for (const test of tests) {
    const kind = kindOf(test)
    const result = results[test.id]
    totals[kind].total += 1
    if (result === true) totals[kind].passed += 1
    // Only an aborted run leaves tests without a result; that it was aborted is problem enough.
    if (result === undefined) continue
    if (kind === 'check') {
      checks[test.id] = { answer: answerOf(result), message: messageOf(result) }
      continue
    }
    const entry = expected.get(test.id)
    if (result === true) {
      if (entry) problems.push(`${test.id} passes, and is listed: remove it from known.txt`)
      continue
    }
    failures.push({ id: test.id, kind, message: messageOf(result), dependency: failedDependency(test, tests, results), known: entry?.reason ?? null })
    if (!entry) problems.push(`${test.id} does not pass, and is not listed in known.txt`)
  }
  const unfinished = begun.filter((id) => results[id] === undefined)
  if (unfinished.length > 0) problems.push(`begun and not run to their end: ${unfinished.join(', ')}`)
  return { mode, totals, failures, checks, problems, ok: problems.length === 0 }
}

// Shows a verdict on standard output.
export function print(verdict, json) {
  if (json) {
    process.stdout.write(`${JSON.stringify(verdict, null, 2)}\n`)
    return
  }
  const lines = []
  for (const [id, { answer, message }] of Object.entries(verdict.checks)) lines.push(`  ${answer.padEnd(9)} ${id}${message && `: ${message}`}`)
  if (lines.length > 0) lines.unshift('checks, where yes and no are both good answers')
  if (verdict.failures.length > 0) lines.push('not passed')
  for (const { id, kind, message, dependency, known } of verdict.failures) {
    const marks = [known === null ? 'NEW' : 'known', ...(dependency ? [`depends on ${dependency}, which did not pass`] : [])]
    lines.push(`  ${kind.padEnd(9)} ${id}: ${message} (${marks.join('; ')})`)
  }
  lines.push(`mode ${verdict.mode}`)
  for (const [kind, { passed, total }] of Object.entries(verdict.totals)) lines.push(`  ${kind.padEnd(9)} ${passed}/${total}`)
  if (verdict.problems.length > 0) lines.push('problems', ...verdict.problems.map((problem) => `  ${problem}`))
  else lines.push('as known.txt says')
  process.stdout.write(`${lines.join('\n')}\n`)
}

function kindOf(test) {
  return test.kind ?? 'required'
}

// There is no answer to a question that could not be asked.
function answerOf(result) {
  if (result === true) return 'yes'
  return result[0] === 'Assertion' ? 'no' : 'unasked'
}

function messageOf(result) {
  return result === true ? '' : `${result[0]}: ${result[1]}`
}

// The first test, however far away, that this one builds on and that did not pass. A test alone has none to look at.
function failedDependency(test, tests, results) {
  for (const id of test.depends_on ?? []) {
    const dependency = tests.find((test) => test.id === id)
    if (!dependency) continue
    const failed = failedDependency(dependency, tests, results) ?? (results[id] === true ? null : id)
    if (failed) return failed
  }
  return null
}
