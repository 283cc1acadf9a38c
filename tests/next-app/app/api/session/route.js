// A visitor without a session gets one; a visitor who brings one is greeted by it, and then no cookie is set.
export async function GET(request) {
  const known = request.cookies.get('session')?.value
  if (known) {
    return Response.json({ session: known, returning: true })
  }
  const session = crypto.randomUUID()
  return Response.json(
    { session, returning: false },
    { headers: { 'Set-Cookie': `session=${session}; Path=/; HttpOnly` } }
  )
}
