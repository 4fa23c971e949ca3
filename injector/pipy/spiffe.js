// SPIFFE IDs (SPIFFE-ID, section 2) and the identities of service accounts.

var NAME = 'abcdefghijklmnopqrstuvwxyz0123456789.-_'
var SEGMENT = NAME + 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

function made(text, of) {
  return text !== '' && text.split('').every(c => of.indexOf(c) >= 0)
}

// parse returns {trustDomain, path}, the path as a list, or null of what is no
// SPIFFE ID.
export function parse(uri) {
  if (!uri || uri.length > 2048 || !uri.startsWith('spiffe://')) return null
  var parts = uri.substring(9).split('/')
  var trustDomain = parts[0]
  var path = parts.slice(1)
  if (trustDomain.length > 255 || !made(trustDomain, NAME)) return null
  if (trustDomain.split('.').some(label => label === '')) return null    // no name of a DNS or URI SAN (RFC 1034, section 3.1)
  if (!path.every(s => made(s, SEGMENT) && s !== '.' && s !== '..')) return null
  return { trustDomain, path }
}

// serviceAccount returns what is known of spiffe://<trust domain>/ns/<namespace>/sa/<account>:
// the URI and the common name that its certificate has as DNS SAN. null of
// anything else.
export function serviceAccount(uri) {
  var id = parse(uri)
  if (!id || id.path.length !== 4 || id.path[0] !== 'ns' || id.path[2] !== 'sa') return null
  return { uri, name: id.path[3] + '.' + id.path[1] + '.' + id.trustDomain }
}

// isMember reports whether the URI is a workload's of the trust domain.
export function isMember(uri, trustDomain) {
  var id = parse(uri)
  return id !== null && id.path.length > 0 && id.trustDomain === trustDomain
}
