export const revalidate = 60
export function POST() { return new Response('') }
