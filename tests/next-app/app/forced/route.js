// Never cached, whatever its window says.
export const dynamic = 'force-dynamic'
export const revalidate = 60

let run = 0

export async function GET() {
  run += 1
  return Response.json({ run })
}
