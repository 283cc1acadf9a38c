export const revalidate = false
export const dynamicParams = false
export const generateStaticParams = async () => (await fetch('https://cms.example/')).json()
export function GET() { return Response.json({}) }
