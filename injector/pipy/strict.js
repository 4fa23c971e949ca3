// HTTP, and nothing that two servers could read differently: HTTP/2 with prior
// knowledge, or requests as RFC 9112 has them without any of the leniency that it
// allows.

import { codes, isToken, isName, CONTROLS } from './characters.js'
import { PREFACE } from './sniff.js'

var MOST = 65536      // of a head, or of a line within a body
var DEL = 127
var DIGITS = codes('0123456789')
var HEX = codes('0123456789abcdefABCDEF')

// strict returns {take, raw, isHTTP2}. What take returns of the bytes that come,
// and of those that came before, may be read; it throws what is wrong. A head
// comes through once it is whole.
export default function () {
  var state = 'head'
  var pending = new Data    // a head, or a line, that is not whole
  var left = 0              // of the body or the chunk
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

  // head returns what of the data comes after the head.
  function head(data, through) {
    pending.push(data)
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
      begin(text.split('\r')[0])
      return new Data
    }
    var request = read(text.substring(0, end))
    through.push(pending.shift(end + 4))
    served++
    left = request.length
    state = request.isChunked ? 'size' : left > 0 ? 'body' : 'head'
    var rest = pending
    pending = new Data
    return rest
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
    var b = pending.toArray()
    if (b[b.length - 1] !== 10) {
      if (b.length > MOST) throw 'a line of more than 64 KiB within a body'
      return
    }
    if (b.length < 2 || b[b.length - 2] !== 13) throw 'a line within a body that does not end in CR and LF'
    var text = ascii(pending)
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

  return { take, raw: () => { state = 'raw' }, isHTTP2: () => is2 }
}

// begin refuses early what cannot become a request.
function begin(line) {
  if (line !== '' && (!isToken(line.charCodeAt(0)) || CONTROLS.some(c => line.includes(c)))) throw 'no request line'
}

// ascii is text of one character a byte. Those that are not of ASCII become DEL,
// which is itself refused wherever they are allowed.
function ascii(data) {
  var text = data.toString()
  if (text !== undefined && text.length === data.size && !text.includes(CONTROLS[CONTROLS.length - 1])) return text
  return new Data(data.toArray().map(c => c === DEL ? 0 : c > DEL ? DEL : c)).toString()
}

// read reads the lines of a request's head strictly (RFC 9112, sections 3, 5 and
// 6): {length, isChunked}.
export function read(text) {
  var lines = text.split('\r\n')
  var request = lines[0].split(' ')
  if (request.length !== 3 || !isName(request[0]) || !isTarget(request[1])) throw 'no request line'
  if (request[2] !== 'HTTP/1.1' && request[2] !== 'HTTP/1.0') throw 'no request line'
  checkControls(lines.join(' '))
  var hosts = 0
  var lengths = []
  var codings = []
  for (var i = 1; i < lines.length; i++) {
    var f = field(lines[i])
    var name = f.name.toLowerCase()
    if (name === 'host') hosts++
    else if (name === 'content-length') lengths.push(f.value())
    else if (name === 'transfer-encoding') codings.push(f.value())
  }
  if (hosts > 1 || hosts === 0 && request[2] === 'HTTP/1.1') throw hosts + ' fields Host'
  return framing(request[0], request[2], lengths, codings)
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
function framing(method, version, lengths, codings) {
  if (lengths.length + codings.length > 1) throw 'more than one length'
  var isChunked = codings.length === 1
  if (isChunked && (version !== 'HTTP/1.1' || codings[0].toLowerCase() !== 'chunked')) {
    throw 'a transfer coding that is not chunked, or not in HTTP/1.1'
  }
  var length = 0
  if (lengths.length === 1) {
    if (!isNumber(lengths[0], DIGITS, 15)) throw 'a length that is no number'
    length = Number(lengths[0])
  }
  if (method === 'HEAD' && (isChunked || length > 0)) throw 'a HEAD with content'
  return { length, isChunked }
}

// size takes no extensions, of which there is no use.
function size(text) {
  if (!isNumber(text, HEX, 12)) throw 'a chunk size of ' + text.substring(0, 20)
  return codes(text.toLowerCase()).reduce((n, c) => n * 16 + (c > 57 ? c - 87 : c - 48), 0)
}

function isNumber(text, digits, most) {
  return text !== '' && text.length <= most && codes(text).every(c => digits.indexOf(c) >= 0)
}
