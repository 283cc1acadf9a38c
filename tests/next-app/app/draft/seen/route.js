import { draftMode } from 'next/headers'

// What is published, unless an editor asks. Next.js itself would give editors what it built, too.
export const dynamic = 'force-dynamic'

export async function GET() {
  const { isEnabled } = await draftMode()
  return Response.json({ draft: isEnabled })
}
