// The arithmetic of a run: nothing here knows servers or files.

// The value below which the share `percent` of the sorted values lies (nearest rank), or null when there are none.
export function percentile(sorted, percent) {
  if (sorted.length === 0) return null
  const rank = Math.ceil((percent / 100) * sorted.length)
  return sorted[Math.min(Math.max(rank, 1), sorted.length) - 1]
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
