// What a connection carries, by the first bytes of its client.

var PREFACE = bytes('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')    // RFC 9113, section 3.4
var VERSION = bytes('HTTP/')
var TOKEN = bytes("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")    // RFC 9110, section 5.6.2
var LONGEST = 16384
var CR = 13
var LF = 10

function bytes(text) {
  return text.split('').map(c => c.charCodeAt(0))
}

// sniff returns 'http1', 'http2' or 'opaque' of a list of bytes, null if more
// are needed.
//
// It takes for HTTP whatever a lenient server might take for a request, line
// ends and white space included: what is opaque goes to the application as it
// is, and must not bring a header that only the sidecar may write.
export function sniff(b) {
  if (PREFACE.every((c, i) => i >= b.length || b[i] === c)) return b.length >= PREFACE.length ? 'http2' : null
  for (var start = 0; b[start] === CR || b[start] === LF; start++);
  for (var i = start; i < b.length && TOKEN.indexOf(b[i]) >= 0; i++);
  if (i === b.length) return b.length < LONGEST ? null : 'opaque'    // a method, so far
  if (i === start || !isSpace(b[i])) return 'opaque'
  var end = b.indexOf(LF, i)
  if (end < 0) return b.length < LONGEST ? null : 'http1'
  return says(b, i, end, VERSION) ? 'http1' : 'opaque'
}

function isSpace(c) {
  return c === 32 || c === 9 || c === 11 || c === 12
}

function says(b, begin, end, word) {
  for (var i = begin; i + word.length <= end && !word.every((c, j) => upper(b[i + j]) === c); i++);
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
  if (name === '' || !bytes(name).every(c => TOKEN.indexOf(c) >= 0)) return false
  if (names.size > 1000) names.clear()
  names.add(name)
  return true
}

function isLine(value) {
  if (!value) return true
  var s = value.toString()
  return s.indexOf('\r') < 0 && s.indexOf('\n') < 0
}
