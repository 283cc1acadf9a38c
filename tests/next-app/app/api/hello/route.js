// The smallest handler there is: dynamic, and the same body each time.
export async function GET() {
  return Response.json({ message: 'Hello World' })
}
