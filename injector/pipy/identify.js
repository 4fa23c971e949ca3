// The header that tells the application who calls. Only the sidecar may write it.

export var HEADER = 'x-forwarded-client-cert'
var FOLDED = 'xforwardedclientcert'

// identify says who calls, once, whatever the client wrote.
export function identify(headers, peer) {
  dropPeer(headers)
  headers[HEADER] = 'URI=' + peer
  if (leadsToHTTP(headers.upgrade || '')) delete headers.upgrade
}

// dropPeer removes the header as applications may know it.
export function dropPeer(headers) {
  if (headers) Object.keys(headers).forEach(name => {
    if (isPeer(name)) delete headers[name]
  })
}

// Names come again with every request.
var others = new Set

// isPeer reports whether an application may take a header of this name for the
// header. CGI makes an underscore of each hyphen (RFC 3875, section 4.1.18), and
// some servers one of each other character that a name may have (RFC 9110,
// section 5.6.2). So letters and digits alone tell names apart.
export function isPeer(name) {
  if (others.has(name)) return false
  if (name.toLowerCase().split('').filter(isAlphanumeric).join('') === FOLDED) return true
  if (others.size > 1000) others.clear()
  others.add(name)
  return false
}

function isAlphanumeric(c) {
  return c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
}

// leadsToHTTP reports whether more requests would follow the upgrade, unseen
// here: of the registered protocols, HTTP, TLS (RFC 2817) and h2c, and SPDY.
export function leadsToHTTP(upgrade) {
  return upgrade.split(',').some(p => ['http', 'tls', 'h2c', 'h2', 'spdy'].indexOf(p.trim().toLowerCase().split('/')[0]) >= 0)
}
