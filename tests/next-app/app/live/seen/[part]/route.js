// Tells which request the handler saw: what the gateway forwarded and what it withheld.
export const dynamic = 'force-dynamic'

export async function GET(request) {
  const { pathname, search } = request.nextUrl
  return Response.json({ pathname, search, headers: Object.fromEntries(request.headers) })
}
