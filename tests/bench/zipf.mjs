// Which keys visitors ask for when few are popular and many are not.

// Draws indices from 0 to count - 1, so that index i comes up in proportion to 1 / (i + 1)^exponent.
export function zipfSampler(count, exponent, random) {
  const upTo = new Float64Array(count)
  let sum = 0
  for (let index = 0; index < count; index++) {
    sum += (index + 1) ** -exponent
    upTo[index] = sum
  }
  return () => {
    const wanted = random() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (upTo[middle] > wanted) high = middle
      else low = middle + 1
    }
    return low
  }
}

// The same numbers from the same seed, so that every server gets the same requests (mulberry32).
export function seededRandom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

// Requests for wrk to replay, one index a line. Neighbours in popularity must not be neighbours in memory, so the ranks are
// scattered over the keys.
export function zipfSequence({ keys, exponent, length, seed }) {
  const random = seededRandom(seed)
  const keyOfRank = shuffled(keys, random)
  const draw = zipfSampler(keys, exponent, random)
  return Array.from({ length }, () => keyOfRank[draw()])
}

function shuffled(count, random) {
  const order = Uint32Array.from({ length: count }, (_, index) => index)
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[order[last], order[other]] = [order[other], order[last]]
  }
  return order
}
