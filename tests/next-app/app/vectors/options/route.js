// Reads the body of an OPTIONS request.
export async function OPTIONS(request) {
  return Response.json({ meta: await request.json() })
}
