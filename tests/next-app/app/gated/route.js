// A stream that a test holds: each POST lets it go one chunk further. One reader at a time.
export const dynamic = 'force-dynamic'

const encoder = new TextEncoder()
const parts = ['<p>One</p>', '<p>Two</p>', '<p>Three</p>']

let run = 0
let opened = 0
let wake = () => {}

async function reached(step) {
  while (opened < step) {
    await new Promise((resolve) => {
      wake = resolve
    })
  }
}

export async function GET() {
  run += 1
  opened = 0
  let step = 0
  const stream = new ReadableStream({
    async pull(controller) {
      await reached(step)
      controller.enqueue(encoder.encode(parts[step]))
      step += 1
      if (step === parts.length) {
        controller.close()
      }
    },
  })
  return new Response(stream, { headers: { 'Content-Type': 'text/html', 'X-Run': String(run) } })
}

export async function POST() {
  opened += 1
  wake()
  return Response.json({ opened })
}
