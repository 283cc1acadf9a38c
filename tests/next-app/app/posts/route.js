// Cached by Next.js itself: built once by `next build`, then regenerated at most every two seconds.
export const revalidate = 2

let run = 0

export async function GET() {
  run += 1
  return Response.json({ run, id: crypto.randomUUID(), posts: ['first', 'second'] })
}
