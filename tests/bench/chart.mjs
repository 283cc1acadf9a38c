// The chart of a run: processor time per request, a group of bars for each scenario on a scale of its own.
import { time } from './report.mjs'

const WIDTH = 760
const LABEL = 100
const BAR = 16
const GAP = 4
const COLOURS = { floor: '#b0b7bf', nginx: '#2f9e44', varnish: '#1971c2', evergate: '#e8590c' }

export function chart(run) {
  const groups = run.scenarios
    .map(({ name, title, servers }) => ({ title: `${name}: ${title.split(';')[0]}`, bars: servers.filter((server) => server.cpu) }))
    .filter((group) => group.bars.length > 0)
  let y = 70
  const parts = []
  for (const { title, bars } of groups) {
    parts.push(label(10, y, title, 'font-weight="bold"'))
    y += 8
    const most = Math.max(...bars.map((bar) => bar.cpu))
    for (const { name, cpu } of bars) {
      const length = Math.max(1, (cpu / most) * (WIDTH - LABEL - 110))
      parts.push(label(LABEL - 6, y + BAR - 4, name, 'text-anchor="end"'))
      parts.push(`<rect x="${LABEL}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" fill="${COLOURS[name] ?? '#868e96'}"/>`)
      parts.push(label(LABEL + length + 6, y + BAR - 4, time(cpu)))
      y += BAR + GAP
    }
    y += 26
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="12">
<rect width="${WIDTH}" height="${y}" fill="#ffffff"/>
${label(10, 24, 'Processor time of the server for each request; shorter is better', 'font-size="16"')}
${label(10, 44, `Evergate ${run.commit}, ${run.date}; ${run.machine.processor}, ${run.machine.cores} cores, ${run.machine.virtual}`, 'fill="#666666"')}
${parts.join('\n')}
</svg>
`
}

function label(x, y, words, attributes = '') {
  return `<text x="${Math.round(x)}" y="${y}" ${attributes}>${escape(words)}</text>`
}

function escape(words) {
  return words.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
