// The ports that are not declared HTTP and answered HTTP all the same, and how
// many connections of each.

// How many ports are counted apart, because peers choose them.
var MOST = 64
var OTHER = 'other'

export default function () {
  var counts = {}

  function add(port) {
    var label = counts['' + port] || Object.keys(counts).length < MOST ? '' + port : OTHER
    counts[label] = (counts[label] || 0) + 1
  }

  // connection returns what is called with the head of each answer to one of a
  // port. A head without headers is what Pipy makes of an application that it
  // cannot reach.
  function connection(port) {
    var isCounted = false
    return head => {
      if (isCounted || Object.keys(head.headers).length === 0) return
      isCounted = true
      add(port)
    }
  }

  // samples are label and value of each count.
  function samples() {
    return Object.keys(counts).map(port => ['{port="' + port + '"}', counts[port]])
  }

  return { connection, samples }
}
