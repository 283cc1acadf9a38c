// Several Set-Cookie lines on a response of the handler's own, one with a comma in it.
export async function GET(request) {
  const headers = new Headers({ 'Content-Type': 'text/plain' })
  headers.append('Set-Cookie', 'a=1; Path=/; HttpOnly')
  headers.append('Set-Cookie', 'b=2; Expires=Wed, 21 Oct 2037 07:28:00 GMT')
  const token = request.cookies.get('token')
  if (token) headers.append('Set-Cookie', `token=${token.value}`)
  return new Response('Hello, Next.js!', { headers })
}
