// HTTP, and nothing that two servers could read differently: HTTP/2 with prior
// knowledge, or requests as RFC 9112 has them without any of the leniency that it
// allows.

import { codes, isToken, isName, CONTROLS } from './characters.js'
import { PREFACE } from './sniff.js'
import { leadsToHTTP } from './identify.js'

var MOST = 65536      // of a head, or of a line within a body
var TAB = 9
var LF = 10
var CR = 13
var DEL = 127
var DIGITS = codes('0123456789')
var NO_REQUEST = 'no request line'
var HEX = codes('0123456789abcdefABCDEF')

// strict returns {take, raw, isHTTP2}. What take returns of the bytes that come,
// and of those that came before, may be read; it throws what is wrong. A head
// comes through once it is whole.
export default function () {
  var state = 'head'
  var pending = new Data    // a head, or a line, that is not whole
  var left = 0              // of the body or the chunk
  var last = []             // the last bytes of a head that is not whole
  var isOpening = false     // whether that ends within its first line
  var served = 0            // heads that came through
  var is2 = false

  function take(data) {
    var through = new Data
    for (var rest = new Data(data); rest.size > 0; rest = step(rest, through));
    return through
  }

  // step returns what is left once one part was read.
  function step(data, through) {
    if (state === 'head') return head(data, through)
    if (state === 'raw') {
      through.push(pending).push(data)
      pending = new Data
      return new Data
    }
    if (state === 'body' || state === 'chunk') body(data, through)
    else lines(data, through)
    return data
  }

  // head returns what of the data comes after the head. What came before is read
  // again only where the head may end, or is no longer than the preface.
  function head(data, through) {
    var had = pending.size
    pending.push(data)
    if (had >= PREFACE.length && !mayEnd(data.toArray())) return new Data
    var text = ascii(pending)
    if (served === 0 && PREFACE.startsWith(text.substring(0, PREFACE.length))) {
      if (text.length >= PREFACE.length) {
        state = 'raw'
        is2 = true
        through.push(pending)
        pending = new Data
      }
      return new Data
    }
    var end = text.indexOf('\r\n\r\n')
    if (end < 0) {
      if (text.length > MOST) throw 'a head of more than 64 KiB'
      var line = text.split('\r')[0]
      begin(line)
      isOpening = line.length === text.length
      last = codes(text.substring(text.length - 3))
      return new Data
    }
    var request = read(text.substring(0, end))
    var whole = pending.shift(end + 4)
    through.push(request.dropped.length > 0 ? without(whole, request.dropped) : whole)
    served++
    left = request.length
    state = request.isChunked ? 'size' : left > 0 ? 'body' : 'head'
    var rest = pending
    pending = new Data
    return rest
  }

  // mayEnd reports whether the head ends within the bytes that came last, and
  // refuses what cannot become a request.
  function mayEnd(bytes) {
    if (isOpening) {
      var line = bytes.indexOf(CR)
      if (bytes.some((c, i) => (line < 0 || i < line) && (c < 32 && c !== TAB || c >= DEL))) throw NO_REQUEST
      isOpening = line < 0
    }
    var all = last.concat(bytes)
    last = all.slice(-3)
    if (all.some((c, i) => i >= 3 && c === LF && all[i - 1] === CR && all[i - 2] === LF && all[i - 3] === CR)) return true
    if (pending.size > MOST) throw 'a head of more than 64 KiB'
    return false
  }

  function body(data, through) {
    var n = Math.min(data.size, left)
    through.push(data.shift(n))
    left -= n
    if (left === 0) state = state === 'body' ? 'head' : 'end'
  }

  // lines takes in what belongs to a line within a chunked body.
  function lines(data, through) {
    var part = data.shiftTo(c => c === 10)
    pending.push(part)
    var b = part.toArray()
    if (b[b.length - 1] !== LF) {
      if (pending.size > MOST) throw 'a line of more than 64 KiB within a body'
      return
    }
    var text = ascii(pending)
    if (!text.endsWith('\r\n')) throw 'a line within a body that does not end in CR and LF'
    text = text.substring(0, text.length - 2)
    var isTrailer = state === 'trailer' && text !== ''
    if (isTrailer) {
      checkControls(text)
      field(text)
    } else if (state === 'trailer') {
      state = 'head'
    } else if (state === 'size') {
      left = size(text)
      state = left > 0 ? 'chunk' : 'trailer'
    } else {
      if (text !== '') throw 'a chunk that is longer than its size'
      state = 'size'
    }
    if (!isTrailer) through.push(pending)    // what one says would be believed by few
    pending = new Data
  }

  return { take, raw: () => { state = 'raw' }, isHTTP2: () => is2, isRaw: () => state === 'raw' }
}

// without drops lines of a head, by their numbers.
function without(head, dropped) {
  var kept = new Data
  for (var i = 0; head.size > 0; i++) {
    var line = head.shiftTo(c => c === LF)
    if (dropped.indexOf(i) < 0) kept.push(line)
  }
  return kept
}

// begin refuses early what cannot become a request.
function begin(line) {
  if (line !== '' && (!isToken(line.charCodeAt(0)) || CONTROLS.some(c => line.includes(c)))) throw NO_REQUEST
}

// ascii is text of one character a byte. Those that are not of ASCII become DEL,
// which is itself refused wherever they are allowed.
function ascii(data) {
  var text = data.toString()
  if (text !== undefined && text.length === data.size && !text.includes(CONTROLS[CONTROLS.length - 1])) return text
  return new Data(data.toArray().map(c => c === DEL ? 0 : c > DEL ? DEL : c)).toString()
}

// Lines come again with every request of a connection, and take time to read:
// those of requests by HTTP/1.1 that are no HEAD, those that name a host, and
// those that say nothing of where a request ends.
var requestLines = new Set
var hostLines = new Set
var otherLines = new Set

function keep(set, line) {
  if (line.length > 256) return
  if (set.size > 1000) set.clear()
  set.add(line)
}

// read reads the lines of a request's head strictly (RFC 9112, sections 3, 5 and
// 6): {length, isChunked, dropped}. Those are dropped that ask for an upgrade to
// HTTP, which Pipy would itself agree to. A server may take no notice of one (RFC
// 9110, section 7.8).
export function read(text) {
  var lines = text.split('\r\n')
  var request = requestLines.has(lines[0]) ? USUAL : requestLine(lines[0])
  var hosts = 0
  var framed = []
  var dropped = []
  for (var i = 1; i < lines.length; i++) {
    var line = lines[i]
    if (!otherLines.has(line) && (hostLines.has(line) || isHost(line, i, framed, dropped))) hosts++
  }
  if (hosts > 1 || hosts === 0 && request.version === 'HTTP/1.1') throw hosts + ' fields Host'
  if (framed.length + dropped.length === 0) return NONE
  return { ...(framed.length > 0 ? framing(request, framed) : NONE), dropped }
}

var NONE = { length: 0, isChunked: false, dropped: [] }
var USUAL = { method: 'GET', version: 'HTTP/1.1' }

function requestLine(line) {
  var parts = line.split(' ')
  if (parts.length !== 3 || !isName(parts[0]) || !isTarget(parts[1])) throw NO_REQUEST
  if (parts[2] !== 'HTTP/1.1' && parts[2] !== 'HTTP/1.0') throw NO_REQUEST
  checkControls(line)
  if (parts[0] !== 'HEAD' && parts[2] === 'HTTP/1.1') keep(requestLines, line)
  return { method: parts[0], version: parts[2] }
}

// isHost reports whether a line names a host. It adds one that says where the
// request ends to framed, and the number of one that is to go to dropped.
function isHost(line, number, framed, dropped) {
  checkControls(line)
  var f = field(line)
  var name = f.name.toLowerCase()
  if (name === 'content-length' || name === 'transfer-encoding') {
    framed.push({ name, value: f.value() })
    return false
  }
  if (name === 'upgrade' && leadsToHTTP(f.value())) {
    dropped.push(number)
    return false
  }
  keep(name === 'host' ? hostLines : otherLines, line)
  return name === 'host'
}

// DEL is what ascii makes of characters that a value may have.
function checkControls(text) {
  if (CONTROLS.some((c, i) => i < CONTROLS.length - 1 && text.includes(c))) throw 'a control character in a header field'
}

// field takes no continuation of another one.
function field(line) {
  var colon = line.indexOf(':')
  if (colon < 0 || !isName(line.substring(0, colon))) throw 'a header field without a name'
  return { name: line.substring(0, colon), value: () => trim(line.substring(colon + 1)) }
}

function trim(value) {
  for (var start = 0; start < value.length && ' \t'.includes(value.charAt(start)); start++);
  for (var end = value.length; end > start && ' \t'.includes(value.charAt(end - 1)); end--);
  return value.substring(start, end)
}

function isTarget(target) {
  return target !== '' && !target.includes('\t') && !target.includes(CONTROLS[CONTROLS.length - 1])
}

// framing refuses what servers have taken for different lengths.
function framing(request, framed) {
  if (framed.length > 1) throw 'more than one length'
  var value = framed[0].value
  if (framed[0].name === 'transfer-encoding') {
    if (request.version !== 'HTTP/1.1' || value.toLowerCase() !== 'chunked') throw 'a transfer coding that is not chunked, or not in HTTP/1.1'
    if (request.method === 'HEAD') throw 'a HEAD with content'
    return { length: 0, isChunked: true }
  }
  if (!isNumber(value, DIGITS, 15)) throw 'a length that is no number'
  var length = Number(value)
  if (request.method === 'HEAD' && length > 0) throw 'a HEAD with content'
  return { length, isChunked: false }
}

// size takes no extensions, of which there is no use.
function size(text) {
  if (!isNumber(text, HEX, 12)) throw 'a chunk size of ' + text.substring(0, 20)
  return codes(text.toLowerCase()).reduce((n, c) => n * 16 + (c > 57 ? c - 87 : c - 48), 0)
}

function isNumber(text, digits, most) {
  return text !== '' && text.length <= most && codes(text).every(c => digits.indexOf(c) >= 0)
}
