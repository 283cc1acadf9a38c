// A dynamic segment with several methods; OPTIONS is left to Next.js.
export async function GET(request, { params }) {
  const { slug } = await params
  return Response.json({ slug })
}

export async function PUT(request, { params }) {
  const { slug } = await params
  return Response.json({ slug, put: await request.json() }, { status: 201 })
}

export async function DELETE() {
  return new Response(null, { status: 204 })
}
