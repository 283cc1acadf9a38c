export const revalidate = 60 * 60
export const maxDuration = -5
export const runtime = 'edge' as const
export function GET() { return new Response('') }
