export const revalidate = 1

export function generateStaticParams() {
  return [{ slug: 'first' }, { slug: 'second' }]
}

export async function GET(request, { params }) {
  return Response.json({ params: await params, now: Date.now() })
}
