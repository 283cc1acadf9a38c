// Built for two parameters; there are no others.
export const revalidate = 60
export const dynamicParams = false

export function generateStaticParams() {
  return [{ slug: 'a' }, { slug: 'b c' }]
}

let run = 0

export async function GET(request, { params }) {
  const { slug } = await params
  run += 1
  return Response.json({ slug, run })
}
