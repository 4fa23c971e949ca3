// What the scripts use of Pipy where nothing but functions is tried out.
function Data(content, encoding) {
  this.bytes = typeof content === 'string' ? decode(content, encoding) : content instanceof Data ? content.bytes.slice() : (content || [])
}
Object.defineProperty(Data.prototype, 'size', { get: function () { return this.bytes.length } })
Data.prototype.toArray = function () { return this.bytes.slice() }
Data.prototype.push = function (data) { this.bytes = this.bytes.concat(data.bytes); return this }
Data.prototype.shift = function (n) {
  var head = new Data(this.bytes.slice(0, n))
  this.bytes = this.bytes.slice(n)
  return head
}
Data.prototype.toString = function (encoding) {
  if (encoding === 'hex') return this.bytes.map(function (b) { return (b + 256).toString(16).substring(1) }).join('')
  if (encoding === 'base64') return encodeBase64(this.bytes)
  return utf8(this.bytes)
}
Data.prototype.shiftTo = function (isLast) {
  for (var n = 0; n < this.bytes.length && !isLast(this.bytes[n]); n++);
  return this.shift(n + 1)
}
// As in Pipy, what is no UTF-8 has no string, but as the content of a message.
function utf8(bytes) {
  try {
    return decodeURIComponent(bytes.map(function (b) { return '%' + (b + 256).toString(16).substring(1) }).join(''))
  } catch (e) {
    return undefined
  }
}
var protobuf = {
  decode: function (data) {
    for (var i = 1; data.bytes[i] > 127; i++);
    return { getStringArray: function () { return [data.bytes.slice(i + 1).map(function (b) { return String.fromCharCode(b) }).join('')] } }
  }
}
function decode(text, encoding) {
  return encoding === 'base64' ? decodeBase64(text) : text.split('').map(function (c) { return c.charCodeAt(0) })
}
var algo = { Cache: function (make) { this.get = make } }
var crypto = { Hash: function () { this.update = function () {}; this.digest = function () { return 'hash' } } }
var console = { error: function () {} }
function pipeline() { return {} }
function Message(head, body) { this.head = head; this.body = body }
function StreamEnd(error) { this.error = error }
