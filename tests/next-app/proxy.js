import { NextResponse } from 'next/server'

// Code of the application's own in front of a few paths. The gateway cannot run it; what passes still goes through it.
export function proxy(request) {
  const headers = new Headers(request.headers)
  headers.set('x-proxied', 'yes')
  return NextResponse.next({ request: { headers } })
}

export const config = { matcher: ['/guarded/:path*'] }
