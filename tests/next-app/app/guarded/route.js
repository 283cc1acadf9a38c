// Behind the proxy file, which adds a header.
export const dynamic = 'force-dynamic'

export async function GET(request) {
  return Response.json({ proxied: request.headers.get('x-proxied') })
}
