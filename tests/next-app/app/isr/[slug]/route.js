// Built for one parameter, and for any other when it is asked for.
export const revalidate = 120

export function generateStaticParams() {
  return [{ slug: 'built' }]
}

export async function GET(request, { params }) {
  const { slug } = await params
  return Response.json({ slug })
}
