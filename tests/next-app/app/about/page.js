import Link from 'next/link'

// A page that Next.js regenerates at most every two seconds; each regeneration has its own number.
export const revalidate = 2

let run = 0

export default function About() {
  run += 1
  return (
    <main>
      <h1>About</h1>
      <p id="run">run {run}</p>
      <Link href="/about/team">Team</Link>
    </main>
  )
}
