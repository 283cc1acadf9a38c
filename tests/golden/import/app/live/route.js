export const dynamic = 'force-dynamic'
export const revalidate = 60
export const fetchCache = 'force-no-store'
export function GET() { return new Response('') }
export function OPTIONS() { return new Response(null) }
