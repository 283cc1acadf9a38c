import { draftMode } from 'next/headers'

// Lets an editor see what is not published yet.
export async function GET() {
  const draft = await draftMode()
  draft.enable()
  return Response.json({ draft: draft.isEnabled })
}
