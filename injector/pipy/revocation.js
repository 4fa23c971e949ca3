// Connections end when the root that their peer's certificate is of leaves the
// bundle, as one does whose key has leaked. Pipy itself verifies a peer once.
// One that is replaced leaves when all of its certificates have ended, ours too:
// connections of that time go on.

import { details } from './x509.js'

// A watch over the connections of a sidecar. Roots tell apart by their subject:
// each has its own.
export default function (secrets) {
  var present = new Set     // subjects of the roots
  var gone = new Set        // of those that were revoked
  var retired = new Set     // and of those that were replaced
  var departures = 0
  var open = new Set

  secrets.onRoots(trusted => {
    var before = present
    present = new Set(trusted.map(root => details(root).subject))
    present.forEach(subject => {
      gone.delete(subject)
      retired.delete(subject)
    })
    var revoked = false
    before.forEach(subject => {
      if (present.has(subject)) return
      if (secrets.outlived(subject)) {
        retired.add(subject)
      } else {
        gone.add(subject)
        revoked = true
      }
    })
    if (revoked) departures++
    open.forEach(connection => { if (isRevoked(connection)) end(connection) })
  })

  // A certificate of an unknown intermediate may be of any root.
  function isRevoked(connection) {
    if (connection.issuer === null) return false
    var root = secrets.rootOf(connection.issuer)
    if (present.has(root)) return false
    if (retired.has(root)) return Date.now() <= connection.notAfter
    return gone.has(root) || connection.departures !== departures
  }

  function end(connection) {
    open.delete(connection)
    connection.over = true
    connection.end(new StreamEnd('ConnectionReset'))
  }

  // begin returns a connection whose peer is not known yet. Its promise is
  // fulfilled with the event that ends it.
  function begin() {
    var connection = { issuer: null, notAfter: 0, departures, over: false, end: null, ended: null }
    connection.ended = new Promise(resolve => { connection.end = resolve })
    open.add(connection)
    return connection
  }

  // admit notes the peer's certificate, and refuses one of a root that left
  // while TLS was being established.
  function admit(connection, cert) {
    connection.issuer = details(cert).issuer
    connection.notAfter = cert.notAfter
    return !isRevoked(connection)
  }

  return { begin, admit, end, forget: connection => { open.delete(connection) } }
}
