export default {
  // The app is its own root: without this, Next.js looks for lock files in the directories above.
  turbopack: { root: import.meta.dirname },
  // Several servers run on one build at once: what they regenerate stays in their memory.
  experimental: { isrFlushToDisk: false },
}
