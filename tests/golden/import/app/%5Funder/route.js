export const dynamic = 'error'
export function GET() { return new Response('') }
