import { headers } from 'next/headers'

// Reads a request header and sends it back as a response header.
export async function GET() {
  const headersList = await headers()
  const referer = headersList.get('referer') ?? 'none'
  return new Response('Hello, Next.js!', { status: 200, headers: { referer } })
}
