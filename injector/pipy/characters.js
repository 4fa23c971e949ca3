// What the bytes of a request are.

export function codes(text) {
  return text.split('').map(c => c.charCodeAt(0))
}

var TOKEN = table(codes("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
var SPACE = table(codes('\r\n\t\v\f ').concat([28, 29, 30, 31, 133, 160]))

// What no head of a request may hold: any control character but a tab.
export var CONTROLS = []
for (var i = 0; i < 32; i++) if (i !== 9) CONTROLS.push(new Data([i]).toString())
CONTROLS.push(new Data([127]).toString())

function table(bytes) {
  var all = []
  for (var i = 0; i < 256; i++) all.push(bytes.indexOf(i) >= 0)
  return all
}

// isToken reports whether a method or the name of a header may have the
// character (RFC 9110, section 5.6.2).
export function isToken(c) {
  return TOKEN[c]
}

// isSpace reports whether some server takes the character for white space, in
// ASCII or in Latin-1.
export function isSpace(c) {
  return SPACE[c]
}

// isName reports whether all characters are of a token. Names come again with
// every request.
export function isName(name) {
  if (names.has(name)) return true
  if (name === '' || !codes(name).every(isToken)) return false
  if (names.size > 1000) names.clear()
  names.add(name)
  return true
}

var names = new Set
