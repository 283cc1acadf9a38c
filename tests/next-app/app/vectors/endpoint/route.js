// Without parameters.
export async function GET(request, { params }) {
  const given = await params
  return Response.json({ params: given && Object.keys(given).length > 0 ? given : null })
}
