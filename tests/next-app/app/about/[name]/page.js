import Link from 'next/link'

// Built once for one name; any other is built when it is asked for.
export const revalidate = false

export function generateStaticParams() {
  return [{ name: 'team' }]
}

export default async function Someone({ params }) {
  const { name } = await params
  return (
    <main>
      <h1>About {name}</h1>
      <Link href="/about">Back</Link>
    </main>
  )
}
