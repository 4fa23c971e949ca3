// What a client says where it may hide a request from the sidecar.

import { codes, isToken, isSpace } from './characters.js'

var PREFIX = codes('http/')
var NUMBER = PREFIX.length + 1
var END = NUMBER + 1
var LF = 10
var CR = 13
// The header's words, last first.
var WORDS = ['cert', 'client', 'forwarded', 'x'].map(codes)
// How far before its colon a name is looked for.
export var LONGEST_NAME = 256

export var EMPTY = 0      // nothing but what a lenient server skips
export var METHOD = 1     // that, and a token
export var REQUEST = 2    // that, and white space
export var OTHER = 3

// line reads a line byte by byte: {is, version, before}.
export function line() {
  return { is: EMPTY, version: 0, before: 0 }
}

// next reports whether the line ends, with this byte, in a version of HTTP.
export function next(l, c) {
  var isVersion = (c === CR || c === LF) && l.version >= NUMBER
  l.version = followVersion(l.version, l.before, c)
  l.before = c
  if (l.is === EMPTY) {
    if (isToken(c)) l.is = METHOD
    else if (c > 32 && c < 127) l.is = OTHER
  } else if (l.is === METHOD && !isToken(c)) {
    l.is = isSpace(c) ? REQUEST : OTHER
  }
  return isVersion
}

// followVersion takes a word for a version only after white space. There is none
// before those in the first bytes of TLS (RFC 7301, section 3.1) and of FastCGI.
function followVersion(version, before, c) {
  var isNumber = c >= 48 && c <= 57
  if (version === NUMBER && (isNumber || c === 46) || version === PREFIX.length && isNumber) return NUMBER
  if (version >= NUMBER && isSpace(c)) return END
  if (version > 0 && version < PREFIX.length && lower(c) === PREFIX[version]) return version + 1
  return lower(c) === PREFIX[0] && isSpace(before) ? 1 : 0
}

// holdsPeer reports whether a line of bytes begins with the header that only the
// sidecar may write and a colon, the colon being at from or later. Some server
// or other ends a line at any control character, takes anything between the
// words for a hyphen, and minds no white space. isBegin says that the bytes begin
// a line.
export function holdsPeer(b, first, isBegin) {
  for (var at = first; at < b.length; at++) {
    if (b[at] === 58 && endsWithPeer(b, Math.max(0, at - LONGEST_NAME), at, isBegin && at <= LONGEST_NAME)) return true
  }
  return false
}

function endsWithPeer(b, start, end, isBegin) {
  var at = trimLoose(b, start, end)
  for (var i = 0; i < WORDS.length; i++) {
    at -= WORDS[i].length
    if (at < start || !WORDS[i].every((c, k) => lower(b[at + k]) === c)) return false
    if (i < WORDS.length - 1) at = trim(b, start, at, c => !isAlphanumeric(c) && !endsLine(c))
  }
  at = trimLoose(b, start, at)
  return at === start ? isBegin : endsLine(b[at - 1])
}

// trimLoose drops what stands around a name in a request, but not around one in
// a document, as quotes do.
function trimLoose(b, start, end) {
  return trim(b, start, end, c => c === 32 || c === 9 || isToken(c) && !isAlphanumeric(c))
}

function trim(b, start, end, isLoose) {
  for (var at = end; at > start && isLoose(b[at - 1]); at--);
  return at
}

// squeeze makes one of the spaces and tabs that stand together: servers that take
// some before a colon take any number of them.
export function squeeze(b, before) {
  return b.filter(c => {
    var isKept = !isBlank(c) || !isBlank(before)
    before = c
    return isKept
  })
}

function isBlank(c) {
  return c === 32 || c === 9
}

function endsLine(c) {
  return c < 32 && c !== 9 || c === 127 || c === 133
}

function isAlphanumeric(c) {
  return c >= 97 && c <= 122 || c >= 65 && c <= 90 || c >= 48 && c <= 57
}

function lower(c) {
  return c >= 65 && c <= 90 ? c + 32 : c
}
