export default function GET() { return new Response('') }
