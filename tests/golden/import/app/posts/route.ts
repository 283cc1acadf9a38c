export const revalidate = 60 satisfies number
export const maxDuration = 1_0
export const preferredRegion = ['fra1', `iad1`]
export async function GET(): Promise<Response> { return Response.json({}) }
export const POST = async () => new Response(null, { status: 204 })
