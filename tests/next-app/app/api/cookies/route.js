import { cookies } from 'next/headers'

// Reads one cookie, sets another, deletes a third: two Set-Cookie lines.
export async function GET() {
  const cookieStore = await cookies()
  const a = cookieStore.get('a')
  cookieStore.set('b', '1')
  cookieStore.delete('c')
  return Response.json({ a: a ? a.value : null })
}
