// What peers send: mutual TLS ends here, and the application is told who calls.

import originOf, { text, isOwn } from './origin.js'
import watch from './watch.js'
import strict from './strict.js'
import { split, join } from './address.js'
import { member } from './peers.js'
import { identify, dropPeer } from './identify.js'
import { sniffer, wellFormed, convertible } from './sniff.js'

// Without interception, requests go to the application at loopback, where it may
// listen so that only its sidecar gets there.
var LOOPBACK = '127.0.0.1'
// How long a client may be silent until the application is asked whether it
// speaks first, in seconds.
var SHORT = 0.3
// How long a client may take for its handshake, in seconds.
var HANDSHAKE = 30

var $port       // of the application, null if only requests say it
var $peer       // the SPIFFE ID of the client
var $kind       // what the connection carries, null until that is known
var $sniffer    // of that, by its first bytes
var $watch      // over a connection that is not HTTP
var $strict     // over one that has to be
var $pair       // our certificate with its key: one for all of a handshake
var $secured    // whether the client has proved who it is
var $gone       // whether it left
var $late       // the end of the time for that
var $decide     // ends the wait for that
var $address    // where the application is
var $sessions   // one for each address that requests of the connection go to
var $leave      // ends them
var $left       // the end of the connection, for them
var $open       // the connection, as long as it is
var $refusal    // of a request
var $answered
var $isHead     // whether a request is a HEAD
var $count      // counts a head if it is an answer of a port that is not declared HTTP

// The pipeline of an inbound listener. own are the ports that are never a target.
export default function ({ bootstrap, secrets, revocation, ports, counters, own, isIntercepted, declared }) {
  var current = null

  secrets.onRoots(trusted => { current = acceptor(trusted) })

  // acceptor verifies with the roots of its time: Pipy reads them when it builds
  // the filter.
  function acceptor(trusted) {
    return pipeline($=>$
      .acceptTLS({
        // Pipy asks twice, and fails if it gets another one then.
        certificate: () => $pair,
        trusted,
        minVersion: 'TLS1.2',
        verify: (ok, cert) => {
          $peer = member(ok, cert, bootstrap.trustDomain, counters)
          return $peer !== null && revocation.admit($open, cert)
        },
        onState: tls => {
          if (tls.state !== 'connected') return
          $secured = true
          $late.cancel()
        },
      }).to($=>$
        .handleStreamEnd(() => { $gone = true })
        .wait(() => $secured || $gone)
        .pipe(carry)
      )
    )
  }

  // Who left before it was known who it is gets nowhere, nor who resumes a session:
  // of that, verify would not hear.
  function carry() {
    if (!$secured || $peer === null) return deny
    counters.inbound++
    return $strict ? requests : session
  }

  // What has to be HTTP comes through as far as it is, or ends.
  var requests = pipeline($=>$
    .replaceData(data => {
      try {
        var through = $strict.take(data)
        $kind = $strict.isHTTP2() ? 'http2' : 'http1'
        return through
      } catch (e) {
        console.error('refused what came to a port that is declared HTTP:', (e?.message || e).toString())
        return new StreamEnd('ConnectionReset')
      }
    })
    .pipe(() => http)
  )

  var session = pipeline($=>$
    .handleData(data => { if ($kind === null && data.size > 0) look(data) })
    .handleStreamEnd(() => { if ($kind === null) decide('opaque') })
    .wait(() => $kind !== null, { timeout: SHORT })
    .wait(() => $kind !== null || undecided())
    .wait(() => $kind !== null)
    .pipe(() => $kind === 'http1' || $kind === 'http2' ? http : opaque)
  )

  function look(data) {
    var kind = $sniffer.take(data)
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
      if ($kind === null && (greets || $sniffer.hasBegun())) {
        $kind = 'watched'
        $sniffer = sniffer()
      }
      return true
    })
    return Promise.race([told, greets])
  }

  // Requests: the caller is in the header, whatever the client wrote there.
  var http = pipeline($=>$
    .demuxHTTP().to($=>$
      .handleMessageStart(m => {
        $answered = false
        $isHead = m.head.method === 'HEAD'
        $refusal = prepare(m.head)
      })
        .handleMessageEnd(m => dropPeer(m.tail?.headers || m.tail))
        .replaceData(data => $isHead ? null : data)    // of which Pipy would write the length alone
      .pipe(() => $refusal ? refuse : forward)
    )
  )

  function prepare(head) {
    var isChecked = $strict && $kind === 'http1' && !$strict.isRaw()
    if (!isChecked && !wellFormed(head)) return { status: 400, text: 'a header that servers may read differently' }
    if ($kind === 'http1' && head.scheme && !convertible(head)) return { status: 400, text: 'a request that HTTP/1.1 does not have' }
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
      .insert(() => $left)
      .connect(() => $address, { idleTimeout: 0, retryCount: 0, connectTimeout: 5 })
    )
    .handleMessageStart(m => {
      $answered = true
      $count?.(m.head)
      if (m.head.status === 101 && $strict) $strict.raw()
    })
    .replaceStreamEnd(end => $answered ? end : new Message({ status: 502 }, 'the sidecar cannot reach the application at ' + $address + '\n'))
  )

  var refuse = pipeline($=>$
    .replaceMessage(() => new Message({ status: $refusal.status }, $refusal.text + '\n'))
  )

  // Anything else is passed on as it is, unless it hides a request.
  var opaque = pipeline($=>$
    .replaceData(data => isForged(data) ? new StreamEnd('ConnectionReset') : data)
    .connect(() => $address, { idleTimeout: 0, retryCount: 0, connectTimeout: 5 })
    .handleData(data => $watch.answered(data))
  )

  // isForged stops a client that sends a request past what writes the header: one
  // that waited for a moment before its end came, or after something else.
  function isForged(data) {
    var found = $watch.said(data)
    if ($kind === 'watched' && data.size > 0) {
      var kind = $sniffer.take(data)
      if (kind === 'opaque') $kind = kind
      found = found || kind === 'http1' || kind === 'http2'
    }
    if (found) console.error('refused HTTP within what is not HTTP from', $peer)
    return found
  }

  // What came before the end is not to go back where it came from.
  var deny = pipeline($=>$.replaceStreamStart(new StreamEnd('ConnectionReset')).replaceData(() => null))

  // destination is where an intercepted connection goes to in this pod, null if
  // it is none.
  function destination(inbound) {
    var origin = originOf(inbound)
    return origin && isOwn(origin, inbound.localAddress) && !own.has(origin.port) ? origin : null
  }

  return $=>$
    .onStart(inbound => {
      var origin = isIntercepted ? destination(inbound) : null
      $port = origin ? origin.port : null
      $address = origin ? text(origin) : null
      $peer = null
      $kind = null
      $sniffer = sniffer()
      $sessions = {}
      $left = new Promise(resolve => { $leave = resolve })
      $watch = watch()
      $strict = !isIntercepted || declared.isHTTP($port) ? strict() : null
      $count = $strict ? null : counters.undeclared.connection($port)
      $open = revocation.begin()
      $pair = secrets.current()
      $secured = false
      $gone = false
      $late = new Timeout(HANDSHAKE)
      return new Data
    })
    .onEnd(() => {
      $leave(new StreamEnd)    // what is idle would stay for a minute
      $late.cancel()
      revocation.forget($open)
    })
    .insert(() => tooLate($late))
    .pipe(() => {
      if (isIntercepted && $port === null) console.error('refused a connection that was not intercepted on its way to this pod')
      return current && secrets.ready() && isIntercepted === ($port !== null) ? current : deny
    })
    .insert(() => $open.ended)

  // tooLate returns a promise of the end of a connection whose client has not
  // proved who it is in time.
  function tooLate(timeout) {
    return new Promise(resolve => {
      timeout.wait().then(() => resolve(new StreamEnd('ConnectionReset')), () => {})
    })
  }
}
