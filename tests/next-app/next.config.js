export default {
  // The app is its own root: without this, Next.js looks for lock files in the directories above.
  turbopack: { root: import.meta.dirname },
  // Several servers run on one build at once: what they regenerate stays in their memory.
  experimental: { isrFlushToDisk: false },
  async redirects() {
    return [
      { source: '/old/:slug', destination: '/items/:slug', permanent: true },
      { source: '/old-search', destination: '/api/search?query=moved', permanent: false },
      {
        source: '/only/:path*',
        has: [{ type: 'header', key: 'x-beta', value: '(?<stage>one|two)' }],
        destination: '/docs/:stage/:path*',
        permanent: false,
      },
    ]
  },
  async headers() {
    return [
      { source: '/api/:path*', headers: [{ key: 'x-from-config', value: 'yes' }] },
      { source: '/docs/:path*', headers: [{ key: 'x-docs', value: ':path*' }] },
    ]
  },
  async rewrites() {
    return [{ source: '/feed', destination: '/rss.xml' }]
  },
}
