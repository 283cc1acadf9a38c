// The configurations of the servers. Each is what an operator of that server would call sensible for a cache on one core; what
// differs from its defaults has its reason beside it.

const KIB = 1024

// Valid JSON of exactly this length: what an API would answer.
export function jsonBody(length) {
  const item = (id) => JSON.stringify({ id, name: `item ${id}`, price: id * 100, tags: ['first', 'second'], text: 'x'.repeat(400) })
  const items = []
  let size = 2 + '{"items":,"pad":""}'.length
  for (let id = 0; size + item(id).length + 1 < length; id++) {
    items.push(item(id))
    size += items.at(-1).length + (id > 0 ? 1 : 0)
  }
  return `{"items":[${items.join(',')}],"pad":"${'y'.repeat(length - size)}"}`
}

export const BODIES = { small: jsonBody(KIB), large: jsonBody(64 * KIB) }
export const TRANSFER = 100 * KIB * KIB
const CAPACITY_GIB = 8

// A word of nginx's configuration ends at 4 KiB, so a longer body is put together from pieces.
function returnBody(body) {
  const pieces = body.match(/[^]{1,4000}/g)
  const sets = pieces.map((piece, index) => `set $b${index} '${piece}';`)
  return `${sets.join(' ')} return 200 "${pieces.map((_, index) => `\${b${index}}`).join('')}";`
}

// What all three nginx have in common. As root its worker would become another user, who may not read the directory.
function nginx({ directory, http }) {
  return `daemon off;
${process.getuid() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr crit;
events { worker_connections 19000; }
http {
  access_log off;
  default_type application/json;
  sendfile on;
  tcp_nodelay on;
  aio off;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
${http}
}
`
}

const NGINX_LISTEN = (ports, certificate) => `    listen 127.0.0.1:${ports.http} backlog=4096;
    listen 127.0.0.1:${ports.h2c} http2 backlog=4096;
    listen 127.0.0.1:${ports.tls} ssl http2 backlog=4096;
    ssl_certificate ${certificate.certificate};
    ssl_certificate_key ${certificate.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m;`

// The kernel's floor: the least that a server of this kind does to answer at all. It answers itself and caches nothing.
export function floor({ directory, ports, files, certificate }) {
  return nginx({ directory, http: `
  server {
${NGINX_LISTEN(ports, certificate)}
    etag off;
    add_header Cache-Control s-maxage=3600;
    add_header ETag '"bench"';
    location = /hit/64k { ${returnBody(BODIES.large)} }
    location = /hit/304 { return 304; }
    location = /download { alias ${files}/download; }
    location / { ${returnBody(BODIES.small)} }
  }` })
}

// The handler: what the floor is, on the other core. Not kept are /pass and /download.
export function handler({ directory, ports, files }) {
  return nginx({ directory, http: `
  map $uri $kept { default "s-maxage=3600"; ~^/(pass|download) "private, no-store"; }
  server {
    listen 127.0.0.1:${ports.http} backlog=4096;
    etag off;
    add_header Cache-Control $kept;
    add_header ETag '"bench"';
    location = /hit/64k { ${returnBody(BODIES.large)} }
    location = /download { alias ${files}/download; }
    location / { ${returnBody(BODIES.small)} }
  }` })
}

export function nginxCache({ directory, ports, handlers, certificate }) {
  return nginx({ directory, http: `
  # Opening and closing a file for each hit would cost it a tenth more.
  open_file_cache max=8192 inactive=60s;
  open_file_cache_valid 60s;
  proxy_cache_path ${directory}/cache levels=1:2 keys_zone=bench:256m inactive=1h max_size=${CAPACITY_GIB}g use_temp_path=off;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;
  upstream fast { server 127.0.0.1:${handlers.fast}; keepalive 64; keepalive_requests 1000000000; }
  upstream slow { server 127.0.0.1:${handlers.slow}; keepalive 64; keepalive_requests 1000000000; }
  server {
${NGINX_LISTEN(ports, certificate)}
    proxy_cache_valid 200 1h;
    proxy_cache_lock on;
    proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
    proxy_cache_background_update on;
    add_header X-Cache $upstream_cache_status;
    location / { proxy_cache bench; proxy_pass http://fast; }
    location ~ ^/(storm|stampede)/ { proxy_cache bench; proxy_pass http://slow; }
    location /pass/ { proxy_pass http://fast; }
    # 100 MB go through as they come, as they do in the other two, and not by way of a file.
    location /download { proxy_max_temp_file_size 0; proxy_pass http://fast; }
    location /upload { proxy_request_buffering off; proxy_pass http://slow; }
  }` })
}

export function varnishVcl({ handlers }) {
  return `vcl 4.1;
backend fast { .host = "127.0.0.1"; .port = "${handlers.fast}"; }
backend slow { .host = "127.0.0.1"; .port = "${handlers.slow}"; }
sub vcl_recv {
  if (req.url ~ "^/(storm|stampede|upload)") { set req.backend_hint = slow; } else { set req.backend_hint = fast; }
  if (req.url ~ "^/(pass|download|upload)") { return (pass); }
}
sub vcl_deliver {
  if (obj.hits > 0) { set resp.http.X-Cache = "HIT"; } else { set resp.http.X-Cache = "MISS"; }
}
`
}

export function varnishArguments({ directory, ports, vcl }) {
  return ['-F', '-n', `${directory}/work`, '-a', `127.0.0.1:${ports.http},HTTP`, '-f', vcl, '-T', 'none', '-j', 'none',
    '-s', `malloc,${CAPACITY_GIB}G`,
    // One core; threads only so far as requests wait for the handler.
    '-p', 'thread_pools=1', '-p', 'thread_pool_min=100', '-p', 'thread_pool_max=1000',
    // As the others: idle connections for 75 s, a backlog for many visitors at once, and HTTP/2.
    '-p', 'timeout_idle=75', '-p', 'listen_depth=4096', '-p', 'feature=+http2',
    // Otherwise it hangs up on whoever comes when twenty wait for a thread, and some of a crowd get no answer.
    '-p', 'thread_queue_limit=20000']
}

export function evergate({ ports, handlers, certificate: { certificate, key } }) {
  return `listen:
  - { address: "127.0.0.1:${ports.http}", h2c: true }
  - { address: "127.0.0.1:${ports.tls}", tls: { certificate: ${certificate}, key: ${key} } }
admin: { address: "127.0.0.1:0" }
log: { access: off, level: warn }
threads: 1
upstreams:
  fast: { servers: ["127.0.0.1:${handlers.fast}"] }
  slow: { servers: ["127.0.0.1:${handlers.slow}"] }
cache: { capacity: ${CAPACITY_GIB}GiB }
defaults: { upstream: fast }
unmatched: pass
routes:
  - { path: "/hit/[key]", revalidate: 1h }
  - { path: "/zipf/[key]", revalidate: 1h }
  - { path: "/miss/[key]", revalidate: 1h }
  - { path: "/mixed/[key]", revalidate: 1h }
  - { path: "/stampede/[key]", revalidate: 1h, upstream: slow }
  - { path: "/storm/[key]", revalidate: origin, upstream: slow }
  - { path: /upload, upstream: slow }
`
}
