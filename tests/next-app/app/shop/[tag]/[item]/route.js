export async function GET(request, { params }) {
  const { tag, item } = await params
  return Response.json({ tag, item })
}
