// What peers send: mutual TLS ends here, and the application is told who calls.

import originOf, { text } from './origin.js'
import { split, join } from './address.js'
import { member } from './peers.js'
import { identify, dropPeer } from './identify.js'
import { sniff, wellFormed } from './sniff.js'

// Without interception, requests go to the application at loopback, where it may
// listen so that nobody but its sidecar gets there.
var LOOPBACK = '127.0.0.1'
// How long a client may be silent until the application is asked whether it
// speaks first, in seconds.
var SHORT = 0.3

var $port       // of the application, null if only requests say it
var $peer       // the SPIFFE ID of the client
var $kind       // what the connection carries, null until that is known
var $head       // its first bytes, as far as they are needed to tell
var $spoken     // whether the application has sent something
var $decide     // ends the wait for that
var $address    // where the application is
var $sessions   // one for each address that requests of the connection go to
var $open       // the connection, as long as it is
var $refusal    // of a request
var $answered

// The pipeline of an inbound listener. own are the ports that are never a target.
export default function ({ bootstrap, secrets, revocation, ports, counters, own }) {
  var current = null

  secrets.onRoots(trusted => { current = acceptor(trusted) })

  // acceptor verifies with the roots of its time: Pipy reads them when it builds
  // the filter.
  function acceptor(trusted) {
    return pipeline($=>$
      .acceptTLS({
        certificate: () => secrets.current(),
        trusted,
        minVersion: 'TLS1.2',
        verify: (ok, cert) => {
          $peer = member(ok, cert, bootstrap.trustDomain, counters)
          return $peer !== null && revocation.admit($open, cert)
        },
      }).to(session)
    )
  }

  var session = pipeline($=>$
    .handleData(data => { if ($kind === null && data.size > 0) look(data) })
    .handleStreamEnd(() => { if ($kind === null) decide('opaque') })
    .wait(() => $kind !== null, { timeout: SHORT })
    .wait(() => $kind !== null || $port === null || undecided())
    .wait(() => $kind !== null)
    .pipe(() => {
      counters.inbound++
      switch ($kind) {
        case 'http1': case 'http2': return http
        default: return $port === null ? deny : opaque
      }
    })
  )

  function look(data) {
    $head = $head.concat(data.toArray())
    var kind = sniff($head)
    if (kind !== null) decide(kind)
  }

  function decide(kind) {
    $kind = kind
    $decide?.(true)
  }

  // undecided ends when the client's bytes tell, or the application speaks
  // first, or does not. What the client has sent then is no whole line.
  function undecided() {
    var told = new Promise(resolve => { $decide = resolve })
    var greets = ports.greets($address).then(greets => {
      if ($kind === null && (greets || $head.length > 0)) {
        $kind = 'watched'
        $head = []
      }
      return true
    })
    return Promise.race([told, greets])
  }

  // Requests: whoever calls is in the header, whatever the client wrote there.
  var http = pipeline($=>$
    .demuxHTTP().to($=>$
      .handleMessageStart(m => {
        $answered = false
        $refusal = prepare(m.head)
      })
        .handleMessageEnd(m => dropPeer(m.tail?.headers || m.tail))
      .pipe(() => $refusal ? refuse : forward)
    )
  )

  function prepare(head) {
    if (!wellFormed(head)) return { status: 400, text: 'a header that servers may read differently' }
    if (head.method === 'CONNECT') return { status: 501, text: 'what goes through a tunnel has no verified sender' }
    identify(head.headers, $peer)
    if ($port !== null) return null
    var host = split(head.headers.host || head.authority || '', 80)
    if (!host) return { status: 400, text: 'no host' }
    if (own.has(host.port)) return { status: 403, text: "that port is the sidecar's own" }
    $address = join(LOOPBACK, host.port)
    return null
  }

  var forward = pipeline($=>$
    .muxHTTP(() => $sessions[$address] || ($sessions[$address] = {}), { version: () => $kind === 'http2' ? 2 : 1, maxIdle: 60 }).to($=>$
      .connect(() => $address, { idleTimeout: 0, retryCount: 0, connectTimeout: 5 })
    )
    .handleMessageStart(() => { $answered = true })
    .replaceStreamEnd(end => $answered ? end : new Message({ status: 502 }, 'the sidecar cannot reach the application at ' + $address + '\n'))
  )

  var refuse = pipeline($=>$
    .replaceMessage(() => new Message({ status: $refusal.status }, $refusal.text + '\n'))
  )

  // Anything else is passed on as it is.
  var opaque = pipeline($=>$
    .replaceData(data => isForged(data) ? new StreamEnd('ConnectionReset') : data)
    .connect(() => $address, { idleTimeout: 0, retryCount: 0, connectTimeout: 5 })
    .handleData(data => { if (data.size > 0) $spoken = true })
  )

  // isForged stops a client that waited for a moment, and then sends a request
  // past what writes the header, to an application that did not speak.
  function isForged(data) {
    if ($kind !== 'watched' || $spoken || data.size === 0) return false
    $head = $head.concat(data.toArray())
    switch (sniff($head)) {
      case 'http1': case 'http2': return true
      case 'opaque': $kind = 'opaque'
    }
    return false
  }

  // What came before the end is not to go back where it came from.
  var deny = pipeline($=>$.replaceStreamStart(new StreamEnd('ConnectionReset')).replaceData(() => null))

  return $=>$
    .onStart(inbound => {
      var origin = originOf(inbound)
      $port = origin ? origin.port : null
      $address = origin ? text(origin) : null
      $peer = null
      $kind = null
      $head = []
      $spoken = false
      $sessions = {}
      $open = revocation.begin()
      return new Data
    })
    .onEnd(() => revocation.forget($open))
    .pipe(() => current && secrets.ready() && !own.has($port) ? current : deny)
    .insert(() => $open.ended)
}
