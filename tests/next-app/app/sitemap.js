export default function sitemap() {
  return [{ url: 'https://acme.com/posts', changeFrequency: 'always', priority: 1 }]
}
