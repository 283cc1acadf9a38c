// The posts again, never cached by Next.js, so that each run is one that the gateway asked for.
export const dynamic = 'force-dynamic'

let run = 0

export async function GET() {
  run += 1
  return Response.json({ run, id: crypto.randomUUID(), posts: ['first', 'second'] })
}
