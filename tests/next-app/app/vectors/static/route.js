import { cookies, headers } from 'next/headers'

// Forced to be static: it sees nothing of the visitor.
export const dynamic = 'force-static'

export async function GET(request) {
  const [known, sent] = await Promise.all([cookies(), headers()])
  return Response.json({
    search: request.nextUrl.search,
    searchParams: Object.fromEntries(request.nextUrl.searchParams),
    cookies: known.getAll(),
    accept: sent.get('accept'),
    own: request.headers.get('x-own'),
  })
}
