// The application's ports: whether the application speaks first there, and
// whether they are open.

import background from './background.js'

var HTTP = 'HTTP/'.split('').map(c => c.charCodeAt(0))
// How long a connection may take, in seconds.
var CONNECT_TIMEOUT = 5
// How long an application may take until it greets a client, in seconds.
var GREETING = 5
// When a port that kept silent is listened to again, in milliseconds.
var AGAIN = 30000

// What has been heard at ports, by address.
export default function () {
  var greeted = {}

  // greets returns a promise of whether the application speaks first at an
  // address: true as soon as it does, false if it does not for a while.
  function greets(address) {
    var known = greeted[address]
    if (!known || Date.now() - known.since > AGAIN && !known.greets) {
      known = { since: Date.now(), greets: false }
      greeted[address] = known
      known.answer = later(() => firstBytes(address).then(bytes => {
        // An HTTP server may say that it got tired of waiting.
        known.greets = bytes.length > 0 && !HTTP.every((c, i) => bytes[i] === c)
        return known.greets
      }))
    }
    return known.answer
  }

  return { greets }
}

// later returns the promise of a search that others wait for as well as the
// connection that began it.
function later(search) {
  return new Promise(resolve => background(() => search().then(resolve)))
}

var $address
var $seconds
var $tell

// Pipy runs pipelines that were made with the script; those that a connection
// makes do nothing.
var opening = pipeline($=>$
  .onStart((address, seconds, tell) => {
    $address = address
    $seconds = seconds
    $tell = tell
    return new Data
  })
  .connect(() => $address, () => ({
    connectTimeout: $seconds,
    retryCount: 0,
    onState: o => { if (o.state === 'connected') $tell(o) },
  }))
  .handleStreamEnd(() => $tell(null))
)

// isOpen returns a promise of whether the address takes connections.
export function isOpen(address, seconds) {
  return new Promise(resolve => {
    opening.spawn(address, seconds, connection => {
      resolve(connection !== null)
      if (connection) closeIn(0, connection)
    })
  })
}

var listening = pipeline($=>$
  .onStart((address, tell) => {
    $address = address
    $tell = tell
    return new Data
  })
  .connect(() => $address, {
    connectTimeout: CONNECT_TIMEOUT,
    retryCount: 0,
    onState: o => { if (o.state === 'connected') closeIn(GREETING, o) },
  })
  .handleData(data => { if (data.size > 0) $tell(data.toArray()) })
  .handleStreamEnd(() => $tell([]))
)

// firstBytes returns a promise of what is heard at the address unasked.
function firstBytes(address) {
  return new Promise(resolve => { listening.spawn(address, resolve) })
}

function closeIn(seconds, connection) {
  new Timeout(seconds).wait().then(() => connection.close())
}
