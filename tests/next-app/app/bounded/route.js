// Says how long it may take, and where it would rather run.
export const maxDuration = 5
export const preferredRegion = ['fra1', 'iad1']
export const dynamic = 'force-dynamic'

export async function GET() {
  return Response.json({ bounded: true })
}
