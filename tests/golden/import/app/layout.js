// What a layout says counts for pages, not for handlers.
export const revalidate = 600
export default function Layout({ children }) { return <html><body>{children}</body></html> }
