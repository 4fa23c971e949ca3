// Probes of the application, as the kubelet makes them.

import { frame, unframer } from './grpc.js'
import { isOpen } from './ports.js'

// A response's body says no more to the kubelet than what is in its beginning.
var LONGEST = '10KB'

var $address
var $answer     // called with {message} or {error}
var $seconds
var $open

// get returns a promise of the response to a GET, {message}, or {error},
// which is ConnectionRefused where nothing listens.
export function get(address, secure, path, headers, seconds) {
  return exchange(secure ? requestTLS : request, address, seconds, new Message({
    method: 'GET',
    path,
    headers: { ...headers, connection: 'close' },
  }))
}

function exchange(how, address, seconds, message) {
  return Promise.race([
    new Promise(resolve => { how.spawn(address, seconds, message, resolve) }),
    new Timeout(seconds).wait().then(() => ({ error: 'timeout' })),
  ])
}

function begin(address, seconds, message, resolve) {
  $address = address
  $seconds = seconds
  $answer = resolve
  $open = false
  return message
}

function limits() {
  return {
    connectTimeout: $seconds,
    idleTimeout: $seconds + 1,
    retryCount: 0,
    onState: o => { if (o.state === 'connected') $open = true },
  }
}

// Where nothing listens, Pipy makes a response of its own.
function received(message) {
  $answer($open ? { message } : { error: 'ConnectionRefused' })
}

var connection = pipeline($=>$.connect(() => $address, limits))

var request = pipeline($=>$
  .onStart(begin)
  .encodeHTTPRequest()
  .pipe(connection)
  .decodeHTTPResponse()
  .handleMessage(received, { bufferLimit: LONGEST })
  .handleStreamEnd(end => $answer({ error: end.error || 'closed' }))
)

// As the kubelet does, this verifies no certificate: what answers is in the pod
// itself, and nothing is made of who it is.
var requestTLS = pipeline($=>$
  .onStart(begin)
  .encodeHTTPRequest()
  .connectTLS().to(connection)
  .decodeHTTPResponse()
  .handleMessage(received, { bufferLimit: LONGEST })
  .handleStreamEnd(end => $answer({ error: end.error || 'closed' }))
)

var call = pipeline($=>$
  .onStart(begin)
  .muxHTTP(() => ({}), { version: 2, maxIdle: 0 }).to(connection)
  .handleMessage(received, { bufferLimit: LONGEST })
  .handleStreamEnd(end => $answer({ error: end.error || 'closed' }))
)

// check returns a promise of what grpc.health.v1.Health/Check says of the
// service: {serving: true}, {serving: false} or {error}.
export function check(address, service, seconds) {
  var body = new protobuf.Message
  if (service) body.setString(1, service)
  var message = new Message({
    method: 'POST',
    scheme: 'http',
    authority: address,
    path: '/grpc.health.v1.Health/Check',
    headers: { 'content-type': 'application/grpc', te: 'trailers' },
  }, frame(protobuf.encode(body)))
  return exchange(call, address, seconds, message).then(answer => answer.error ? answer : { serving: isServing(answer.message) })
}

function isServing(message) {
  var serving = false
  try {
    unframer(data => { serving = protobuf.decode(data)?.getInt32(1) === 1 })(message.body || new Data)
  } catch (e) {
    return false
  }
  return serving
}

// connect returns a promise of {open}: whether the address takes a connection.
export function connect(address, seconds) {
  return Promise.race([isOpen(address, seconds), new Timeout(seconds).wait().then(() => false)]).then(open => ({ open }))
}
