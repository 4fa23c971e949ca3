// Answers in plain text to anyone who reaches the pod.

var $head       // of the request, once it came
var $answered

// serve returns a pipeline that answers one request by its head, at once or by a
// promise, and ends. What else comes, bodies included, is not kept: Pipy's own
// server keeps whole bodies, and whatever HTTP/2 has it keep.
export default function (answer) {
  return pipeline($=>$
    .onStart(() => {
      $head = null
      $answered = false
      return new Data
    })
    .decodeHTTPRequest(head => { $head = $head || head })
    .replaceData(() => null)
    .replaceMessage(request => {
      if ($answered) return null
      $answered = true
      var response = answer(request)
      return response instanceof Promise ? response.then(last) : last(response)
    })
    .encodeHTTPResponse(() => $head)
  )
}

function last(response) {
  var headers = { ...response.head.headers, connection: 'close' }
  return [new Message({ status: response.head.status, headers }, response.body), new StreamEnd]
}
