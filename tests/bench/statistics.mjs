// The arithmetic of a run: nothing here knows servers or files.

// The value below which the share `percent` of the sorted values lies (nearest rank), or null when there are none.
export function percentile(sorted, percent) {
  if (sorted.length === 0) return null
  const rank = Math.ceil((percent / 100) * sorted.length)
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1]
}

// The same of a histogram, which is [[value, how often], …] in the order of the values.
export function percentileOf(histogram, percent) {
  const rank = Math.max(Math.ceil((percent / 100) * total(histogram)), 1)
  let passed = 0
  return histogram.find(([, count]) => (passed += count) >= rank)?.[0] ?? null
}

// Several histograms as one.
export function pooled(histograms) {
  const counts = new Map()
  for (const [value, count] of histograms.flat()) counts.set(value, (counts.get(value) ?? 0) + count)
  return [...counts].sort(([a], [b]) => a - b)
}

function total(histogram) {
  return histogram.reduce((total, [, count]) => total + count, 0)
}

// What windows with something going on were like beside those before and after them, in which nothing was; each kind as one. Each
// window has requests, seconds, errors and a histogram of its latencies, those during it cpu and others too.
//
// `to_calm` is the ratio of the 99th percentiles. `control` is that of the windows after to those before, which ought to be 1.
export function compareWindows({ before, during, after }) {
  const latencies = (windows) => pooled(windows.map((window) => window.histogram))
  const at = (histogram) => [50, 99, 99.9].map((percent) => percentileOf(histogram, percent))
  const [p50, p99, p999] = at(latencies(during))
  const [calm_p50, calm_p99, calm_p999] = at(latencies([...before, ...after]))
  const sum = (windows, figure) => windows.reduce((total, window) => total + window[figure], 0)
  const mean = (figure, weight) => during.reduce((total, window) => total + window[figure] * window[weight], 0) / sum(during, weight)
  return {
    requests: sum(during, 'requests'), seconds: sum(during, 'seconds'), errors: sum([...before, ...during, ...after], 'errors'),
    p50, p99, p999, calm_p50, calm_p99, calm_p999,
    to_calm: ratio(p99, calm_p99),
    control: ratio(percentileOf(latencies(after), 99), percentileOf(latencies(before), 99)),
    cpu: mean('cpu', 'requests'), others: mean('others', 'seconds'),
  }
}

// The middle value; the mean of the two in the middle when their number is even.
export function median(values) {
  const sorted = values.filter((value) => value !== null && value !== undefined).sort((a, b) => a - b)
  if (sorted.length === 0) return null
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

// Half the distance between the lowest and the highest round, as a share of the median: how far rounds disagreed.
export function spread(values) {
  const middle = median(values)
  return middle ? (Math.max(...values) - Math.min(...values)) / 2 / middle : null
}

// One figure for each name that any round has.
export function medians(rounds) {
  const names = new Set(rounds.flatMap((round) => Object.keys(round)))
  return Object.fromEntries([...names].map((name) => [name, median(rounds.map((round) => round[name]))]))
}

// A quotient, or null where one of the two was not measured.
export function ratio(value, base) {
  return value === null || value === undefined || !base ? null : value / base
}
