// Who may be on the other end of a mutual TLS connection.

import { details, spiffeID } from './x509.js'
import { isMember } from './spiffe.js'

// member returns the SPIFFE ID of a peer whose certificate TLS has verified, if
// it is one of the trust domain's workloads; null and a log line otherwise.
export function member(ok, cert, trustDomain, counters) {
  var id = ok ? spiffeID(cert) : null
  if (isMember(id, trustDomain)) return id
  return deny(counters, ok ? `${id} is not of trust domain ${trustDomain}` : 'a certificate of no trusted root, or expired')
}

// oneOf reports whether a peer is one of some, by its SPIFFE ID.
export function oneOf(ok, cert, ids, counters) {
  var id = ok ? spiffeID(cert) : null
  if (id !== null && ids.indexOf(id) >= 0) return true
  deny(counters, ok ? `${id}, not ${ids.join(' or ')}` : 'a certificate of no trusted root, or expired')
  return false
}

// exactly reports whether a peer is the service account, by its SPIFFE ID and
// its DNS SAN.
export function exactly(ok, cert, account, counters) {
  var id = ok ? spiffeID(cert) : null
  if (id === account.uri && details(cert).dns.indexOf(account.name) >= 0) return true
  deny(counters, ok ? `${id}, not ${account.uri}` : 'a certificate of no trusted root, or expired')
  return false
}

function deny(counters, why) {
  counters.denied++
  console.error('denied a peer:', why)
  return null
}
