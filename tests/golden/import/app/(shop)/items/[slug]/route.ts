import { handler } from './handler'
export const dynamicParams = false
export async function generateStaticParams() { return [{ slug: 'a' }, { slug: 'it\'s "${X}" # 1' }] as const }
export { handler as GET, handler as DELETE }
export type { Slug } from './handler'
