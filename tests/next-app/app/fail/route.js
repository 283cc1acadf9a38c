// Throws while it is switched on: POST `on` or `off`. Each run that does not throw has its own number.
export const dynamic = 'force-dynamic'

let failing = false
let run = 0

export async function GET() {
  if (failing) {
    throw new Error('the handler was told to fail')
  }
  run += 1
  return Response.json({ run })
}

export async function POST(request) {
  failing = (await request.text()) === 'on'
  return Response.json({ failing })
}
