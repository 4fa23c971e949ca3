// What a connection carries, by the first bytes of its client.

var PREFACE = codes('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')    // RFC 9113, section 3.4
var VERSION = codes('HTTP/')
var GET = codes('GET ')
var TOKEN = codes("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")    // RFC 9110, section 5.6.2
var SPACE = codes('\r\n\t\v\f ')
var LF = 10
// More than servers take as a request line (RFC 9112, section 3: 8000 octets at least).
var LONGEST = 65536

function codes(text) {
  return text.split('').map(c => c.charCodeAt(0))
}

// sniff returns 'http1', 'http2' or 'opaque' of a list of bytes, null if more
// are needed.
//
// Whatever a lenient server might read as a request is HTTP, because only a
// request that is parsed here is known to carry no forged header: empty lines
// before it, any method, any white space, any case.
export function sniff(b) {
  if (PREFACE.every((c, i) => i >= b.length || b[i] === c)) return b.length >= PREFACE.length ? 'http2' : null
  for (var start = 0; start < b.length && SPACE.indexOf(b[start]) >= 0; start++);
  if (start === b.length) return b.length < LONGEST ? null : 'opaque'
  if (TOKEN.indexOf(b[start]) < 0) return 'opaque'
  for (var end = start; end < b.length && b[end] !== LF; end++);
  if (holds(b, start, end, VERSION)) return 'http1'
  // After HTTP/0.9 some servers read headers.
  if (end < b.length) return begins(b, start, GET) ? 'http1' : 'opaque'
  if (b.slice(start).some(isBinary)) return 'opaque'
  return b.length < LONGEST ? null : 'http1'
}

// isBinary reports whether no server takes the character in a request line.
function isBinary(c) {
  return c < 32 && SPACE.indexOf(c) < 0 && c < 28 || c === 127
}

function begins(b, at, word) {
  return word.every((c, i) => upper(b[at + i]) === c)
}

function holds(b, start, end, word) {
  for (var i = start; i + word.length <= end && !begins(b, i, word); i++);
  return i + word.length <= end
}

function upper(c) {
  return c >= 97 && c <= 122 ? c - 32 : c
}

// wellFormed reports whether a request's head, once it was read, says the same
// to every server that it is written to again: names are tokens, and nothing
// holds the end of a line.
export function wellFormed(head) {
  return isLine(head.method) && isLine(head.path) && isLine(head.authority) &&
    Object.keys(head.headers).every(name => isName(name) && isLine(head.headers[name]))
}

// Names come again with every request.
var names = new Set

function isName(name) {
  if (names.has(name)) return true
  if (name === '' || !codes(name).every(c => TOKEN.indexOf(c) >= 0)) return false
  if (names.size > 1000) names.clear()
  names.add(name)
  return true
}

function isLine(value) {
  if (!value) return true
  var s = value.toString()
  return s.indexOf('\r') < 0 && s.indexOf('\n') < 0
}
