export const dynamic = 'force-static'
export const generateStaticParams = () => [{ lang: 'de' }]
export function GET() { return new Response('') }
export function HEAD() { return new Response('') }
