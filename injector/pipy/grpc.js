// gRPC's framing of messages: a byte that says whether what follows is
// compressed, four of its length, big-endian, and the message
// (PROTOCOL-HTTP2.md of gRPC, "Length-Prefixed-Message").

// A secret with its chain and roots is a few kilobytes.
var MOST = 4 * 1024 * 1024

export function frame(message) {
  var n = message.size
  return new Data([0, (n >> 24) & 255, (n >> 16) & 255, (n >> 8) & 255, n & 255]).push(message)
}

// unframer returns a function that takes what arrives, in pieces of any size,
// and hands on whole messages. It throws when the stream cannot be read on.
export function unframer(handle) {
  var buffer = new Data
  return function (data) {
    buffer.push(data)
    for (var more = next(); more; more = next());
  }

  function next() {
    if (buffer.size < 5) return false
    var head = buffer.shift(5)
    var b = head.toArray()
    var n = b[1] * 16777216 + b[2] * 65536 + b[3] * 256 + b[4]
    if (b[0] !== 0) throw 'a compressed message'
    if (n > MOST) throw 'a message of ' + n + ' bytes'
    if (buffer.size < n) {
      buffer = head.push(buffer)
      return false
    }
    handle(buffer.shift(n))
    return true
  }
}
