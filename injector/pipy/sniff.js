// What a connection carries, by the first bytes of its client.

import { codes, isToken, isSpace, isName, CONTROLS } from './characters.js'

export var PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'    // RFC 9113, section 3.4
var PRI = codes(PREFACE)
var VERSION = codes('HTTP/')
var GET = codes('GET')
var LF = 10
// More than servers take as a request line (RFC 9112, section 3: 8000 octets at least).
var LONGEST = 65536
var NEAR = 64

// sniff returns 'http1', 'http2' or 'opaque' of a list of bytes, null if more
// are needed.
//
// Whatever a lenient server might read as a request is HTTP, because only a
// request that is parsed here is known to carry no forged header: empty lines
// before it, any method, any white space, any case.
export function sniff(b) {
  if (PRI.every((c, i) => i >= b.length || b[i] === c)) return b.length >= PRI.length ? 'http2' : null
  for (var start = 0; start < b.length && isSpace(b[start]); start++);
  for (var end = start; end < b.length && b[end] !== LF; end++);
  for (var method = start; method < end && isToken(b[method]); method++);
  if (method < end && (method === start || !isSpace(b[method]))) return 'opaque'
  if (holds(b, start, end, VERSION)) return 'http1'
  // After HTTP/0.9 some servers read headers. memcached's "get" is another.
  if (end < b.length) return method < end && method - start === GET.length && GET.every((c, i) => b[start + i] === c) ? 'http1' : 'opaque'
  return b.length < LONGEST ? null : 'http1'
}

// sniffer returns {take, hasBegun}: take returns what sniff does of all that came
// so far. What came before is read again only where a line ends, while it is
// short, or once there is twice as much.
export function sniffer() {
  var head = []     // of white space that comes first, one octet
  var size = 0
  var looked = 0

  function take(data) {
    var endsLine = false
    size += data.size
    data.toArray().forEach(c => {
      if (isSpace(c) && head.every(isSpace)) {
        head = [c]
      } else {
        head.push(c)
        endsLine = endsLine || c === LF
      }
    })
    if (!endsLine && head.length > NEAR && head.length < 2 * looked && size < LONGEST) return null
    looked = head.length
    return sniff(head) || (size < LONGEST ? null : 'http1')
  }

  return { take, hasBegun: () => size > 0 }
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
// to every server that it is written to again: names are tokens, nothing holds
// the end of a line, and a HEAD has no content, of which Pipy writes the length
// alone.
export function wellFormed(head) {
  var names = Object.keys(head.headers)
  var texts = [head.method, head.path, head.authority || ''].concat(names.map(name => head.headers[name]))
  var all = texts.flat().join(' ')
  return names.every(isName) && CONTROLS.every(c => !all.includes(c)) && (head.method !== 'HEAD' || hasNoContent(head.headers))
}

// convertible reports whether a request by HTTP/2 is written right by HTTP/1.1:
// what Pipy itself agrees to an upgrade with goes on by that. It tells names of
// headers by lower case, which HTTP/2 demands (RFC 9113, section 8.2.1).
export function convertible(head) {
  return isName(head.method) && Object.keys(head.headers).every(name => name === name.toLowerCase()) && ![' ', '\t'].some(c => head.path.includes(c))
}

function hasNoContent(headers) {
  return !headers['transfer-encoding'] && (headers['content-length'] || '0') === '0'
}
