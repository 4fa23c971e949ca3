// A watch over connections of other protocols than HTTP. They end where some
// server might read a request, so that none gets a header about its caller that
// was not written here:
//
//   - until the application has answered, a line that ends in a version of HTTP,
//     whatever precedes that;
//   - after each answer, a first line that is a request's;
//   - anywhere, a line that begins with the header, and the preface of HTTP/2.
//
// Anything else that looks like HTTP may be the content of a mail, of a record
// or of a cache. What an application takes for encrypted is not looked at.

import { line, next, holdsPeer, squeeze, EMPTY, REQUEST, OTHER, LONGEST_NAME } from './lines.js'
import { PREFACE } from './sniff.js'

// How much of what a client says at first, or at first after an answer, may be
// the beginning of a request.
var MOST = 65536
var STEP = 1024
// A part of the header's name that is whole wherever the name is.
var WORD = 'forwarded'
var BLANKS = ['  ', '\t\t', ' \t', '\t ']

export default function () {
  var answers = 0
  var heard = 0       // answers before this turn of the client's
  var begun = false
  var later = false   // the turn is not its first
  var decided = false // nothing of the turn can be a request any more
  var length = 0      // of the turn
  var current = line()
  var tail = []       // the end of what was said before
  var ended = false   // tail does not begin what was said
  var first = []      // what the application said first
  var sealed = false

  // said takes in what the client says next, and reports whether it holds a
  // request.
  function said(data) {
    if (data.size === 0 || sealed) return false
    if (answers !== heard) {
      heard = answers
      if (begun) {
        later = true
        decided = false
        length = 0
        current = line()
      }
    }
    begun = true
    return opens(new Data(data)) || speaks(data)
  }

  // opens reports whether a turn begins with a request.
  function opens(data) {
    var found = false
    for (var more = data.size; more > 0 && !found && !decided && length < MOST; more = data.size) {
      found = data.shift(Math.min(STEP, MOST - length)).toArray().some(isRequest)
    }
    return found
  }

  function isRequest(c) {
    if (decided) return false
    length++
    if (next(current, c) && (!later || current.is === REQUEST)) return true
    decided = later && (current.is === OTHER || c === 10 && current.is !== EMPTY)
    return false
  }

  // speaks looks into the bytes themselves only where a word of the header is.
  function speaks(data) {
    var before = tail.length
    var t = text(new Data(tail).push(data))
    if (BLANKS.some(b => t.includes(b))) {
      data = new Data(squeeze(data.toArray(), before > 0 ? tail[before - 1] : 0))
      t = text(new Data(tail).push(data))
    }
    if (t.includes(PREFACE)) return true
    if (t.toLowerCase().includes(WORD) && holdsPeer(tail.concat(data.toArray()), before, !ended)) return true
    var end = new Data(data)
    if (end.size > LONGEST_NAME) {
      end.shift(end.size - LONGEST_NAME)
      ended = true
      tail = end.toArray()
      return false
    }
    tail = tail.concat(end.toArray())
    if (tail.length > LONGEST_NAME) {
      tail = tail.slice(tail.length - LONGEST_NAME)
      ended = true
    }
    return false
  }

  // answered takes in what the application says.
  function answered(data) {
    if (data.size === 0) return
    if (first.length < 8) {
      first = first.concat(new Data(data).shift(8 - first.length).toArray())
      sealed = isSealed(first)
    }
    answers++
  }

  return { said, answered }
}

// isSealed reports whether an application that begins so takes what follows for
// encrypted, and for nothing else: a ServerHello (RFC 8446, sections 4 and 5.1),
// or the version of SSH (RFC 4253, section 4.2).
function isSealed(b) {
  return b.length >= 6 && b[0] === 22 && b[1] === 3 && b[5] === 2 || [83, 83, 72, 45, 50, 46, 48, 45].every((c, i) => b[i] === c)
}

// text is what the bytes are as a string to search. Pipy makes none of what is
// not UTF-8, except of the content of a protobuf message.
function text(data) {
  var s = data.toString()
  if (s !== undefined) return s
  var head = [10]
  for (var n = data.size; n > 127; n = Math.floor(n / 128)) head.push(n % 128 + 128)
  head.push(n)
  return protobuf.decode(new Data(head).push(data)).getStringArray(1)[0]
}
