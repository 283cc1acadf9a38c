// In a route group, which is no part of its path.
export const dynamic = 'force-static'

export async function GET(request) {
  return Response.json({ search: new URL(request.url).search, cookie: request.headers.get('cookie') })
}
