// What instruction counts say beside those of the baseline.

// How much more a case may take. Counts of one binary differ by less than 1 % from run to run: seeds of hash maps do it, and what
// the cache puts off until later.
export const TOLERANCE = 0.05

// `baseline` and `counts` are { case: instructions of a turn }.
export function compare(baseline, counts) {
  const names = [...new Set([...Object.keys(baseline), ...Object.keys(counts)])]
  return names.map((name) => {
    const [before, now] = [baseline[name], counts[name]]
    const change = before && now ? now / before - 1 : null
    return { name, before, now, change, verdict: verdict(before, now) }
  })
}

function verdict(before, now) {
  if (before === undefined) return 'not in the baseline'
  if (now === undefined) return 'not counted any more'
  if (now - before > before * TOLERANCE) return 'grew'
  if (before - now > before * TOLERANCE) return 'fell'
  return ''
}

// Whatever the baseline does not cover is no less a failure than what grew: a guard with a hole guards nothing.
export function fails(rows) {
  return rows.some(({ verdict }) => verdict !== '' && verdict !== 'fell')
}

export function table(rows) {
  const lines = rows.map(({ name, before, now, change, verdict }) => [
    name, whole(before), whole(now), change === null ? '-' : `${change < 0 ? '' : '+'}${(change * 100).toFixed(1)} %`, verdict,
  ])
  const all = [['case', 'baseline', 'now', 'change', ''], ...lines]
  const widths = all[0].map((_, column) => Math.max(...all.map((line) => line[column].length)))
  return all.map((line) => line.map((cell, column) => (
    column === 0 || column === 4 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
  )).join('  ').trimEnd()).join('\n')
}

function whole(number) {
  return number === undefined ? '-' : number.toLocaleString('en')
}
