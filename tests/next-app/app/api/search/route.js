export function GET(request) {
  const query = request.nextUrl.searchParams.get('query')
  return Response.json({ query })
}
