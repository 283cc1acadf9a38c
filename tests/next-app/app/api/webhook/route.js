import { createHash } from 'node:crypto'

// Answers with the length and the digest of the bytes it received; text that is not UTF-8 is an error.
export async function POST(request) {
  const bytes = new Uint8Array(await request.arrayBuffer())
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    return new Response(`Webhook error: ${error.message}`, { status: 400 })
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return Response.json({ bytes: bytes.byteLength, sha256 })
}
