// Bytes of any kind, as they came.
export async function POST(request) {
  const body = await request.arrayBuffer()
  return new Response(body, { headers: { 'Content-Type': 'application/octet-stream' } })
}
