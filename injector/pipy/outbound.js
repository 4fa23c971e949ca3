// What the application sends: mutual TLS begins here, and there is no other way.

import originOf, { text } from './origin.js'
import { split, join, canonical } from './address.js'
import { serviceAccount } from './spiffe.js'
import { oneOf, exactly } from './peers.js'

// Where an application whose connections are not intercepted says which SPIFFE
// ID it means to call. A name or an address would prove nothing.
var HEADER = 'x-osm-peer'

var $origin     // where an intercepted connection was going
var $peer       // the service account that a request is for
var $address    // of its sidecar
var $expected   // the SPIFFE IDs of those who may be there, null if none is known
var $open       // the connection, as long as it is
var $refusal
var $answered

// The pipeline of an outbound listener. port is where peers take mutual TLS.
// Where connections are intercepted, those that were not are refused.
export default function ({ secrets, destinations, revocation, counters, port, isIntercepted }) {
  var intercepted = null
  var explicit = null
  var sessions = {}

  // Connections begin with the roots of their time, and so with pipelines of
  // their time: Pipy reads roots when it builds the filter.
  secrets.onRoots(trusted => {
    sessions = {}
    intercepted = pipeline($=>$
      .connectTLS(options(trusted, (ok, cert) => oneOf(ok, cert, $expected, counters) && revocation.admit($open, cert))).to($=>$
        .connect(() => text($origin), { idleTimeout: 0, retryCount: 0, connectTimeout: 10 })
      )
    )
    explicit = pipeline($=>$
      .muxHTTP(session, { maxIdle: 60 }).to($=>$
        .onStart(() => { $open = revocation.begin() })
        .onEnd(() => revocation.forget($open))
        .insert(() => $open.ended)
        .connectTLS(options(trusted, (ok, cert) => exactly(ok, cert, $peer, counters) && revocation.admit($open, cert))).to($=>$
          .connect(() => $address, { idleTimeout: 0, retryCount: 0, connectTimeout: 10 })
        )
        .replaceData(data => $open.over ? new StreamEnd('ConnectionReset') : data)
        .insert(() => $open.ended)
      )
    )
  })

  function options(trusted, verify) {
    return { certificate: () => secrets.current(), trusted, minVersion: 'TLS1.2', verify }
  }

  // session is the key of connections to a peer with a certificate, an object of
  // its own for each, so that a new certificate begins new connections.
  function session() {
    var leaf = secrets.current()
    var key = $address + ' ' + $peer.uri
    if (sessions[key]?.leaf !== leaf) sessions[key] = { leaf }
    return sessions[key]
  }

  var requests = pipeline($=>$
    .demuxHTTP().to($=>$
      .handleMessageStart(m => {
        $answered = false
        $refusal = prepare(m.head)
      })
      .pipe(() => $refusal ? refuse : forward)
    )
  )

  function prepare(head) {
    if (!explicit || !secrets.ready()) return { status: 502, text: 'the sidecar has no valid certificate and bundle' }
    $peer = serviceAccount(head.headers[HEADER])
    if (!$peer) return { status: 400, text: 'name the SPIFFE ID to call in the header ' + HEADER + ', as spiffe://<trust domain>/ns/<namespace>/sa/<account>' }
    var host = split(head.headers.host || head.authority || '', 80)
    if (!host) return { status: 400, text: 'no host' }
    delete head.headers[HEADER]
    $address = join(host.host, port)
    counters.outbound++
    return null
  }

  var forward = pipeline($=>$
    .pipe(() => explicit)
    .handleMessageStart(() => { $answered = true })
    .replaceStreamEnd(end => $answered ? end : new Message({ status: 502 }, 'the sidecar cannot reach ' + $peer.uri + ' at ' + $address + '\n'))
  )

  var refuse = pipeline($=>$
    .replaceMessage(() => new Message({ status: $refusal.status }, $refusal.text + '\n'))
  )

  // What came before the end is not to go back where it came from.
  var deny = pipeline($=>$.replaceStreamStart(new StreamEnd('ConnectionReset')).replaceData(() => null))

  return $=>$
    .onStart(inbound => {
      $origin = isIntercepted ? originOf(inbound) : null
      $expected = null
      $open = revocation.begin()
      return new Data
    })
    .onEnd(() => revocation.forget($open))
    .insert(() => $open.ended)
    .wait(() => !$origin || !secrets.ready() || destinations.expect(canonical($origin.host)).then(ids => {
      $expected = ids
      return true
    }))
    .pipe(() => {
      if (!isIntercepted) return requests
      if (!$origin) {
        console.error('refused a connection of the application that was not intercepted')
        return deny
      }
      counters.outbound++
      if (secrets.ready() && !$expected) console.error('no pod of the mesh is known at', text($origin))
      return intercepted && secrets.ready() && $expected ? intercepted : deny
    })
    // The peer's first bytes come before insert takes part.
    .replaceData(data => $open.over ? new StreamEnd('ConnectionReset') : data)
    .insert(() => $open.ended)
}
