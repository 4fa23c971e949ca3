// The header that tells the application who calls. Only the sidecar may write it.

export var HEADER = 'x-forwarded-client-cert'

// identify says who calls, once, whatever the client wrote.
export function identify(headers, peer) {
  dropPeer(headers)
  headers[HEADER] = 'URI=' + peer
  if (leadsToHTTP(headers.upgrade || '')) delete headers.upgrade
}

// dropPeer removes the header as applications may know it: CGI (RFC 3875,
// section 4.1.18) makes an underscore of each hyphen.
export function dropPeer(headers) {
  if (headers) Object.keys(headers).forEach(name => {
    if (name.toLowerCase().replaceAll('_', '-') === HEADER) delete headers[name]
  })
}

// leadsToHTTP reports whether more requests would follow the upgrade, unseen
// here: of the registered protocols, HTTP, TLS (RFC 2817) and h2c.
function leadsToHTTP(upgrade) {
  return upgrade.split(',').some(p => ['http', 'tls', 'h2c', 'h2'].indexOf(p.trim().toLowerCase().split('/')[0]) >= 0)
}
