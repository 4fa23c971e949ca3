// The ports of the application that are declared HTTP: those that the pod
// declares itself, and those that Services declare, as the control plane says:
// none before it has. What it said last counts while it is away.

// The secret that lists them.
export var NAME = 'http-ports'

export default function (bootstrap) {
  var own = new Set(bootstrap.httpPorts || [])
  var told = new Set
  var leftOut = false    // the last stream did not ask

  // names are what to ask for.
  function names() {
    return leftOut ? [] : [NAME]
  }

  // refused reports whether a stream that brought nothing may have ended because
  // it asked. The next does not, so that a sidecar gets its certificate from a
  // control plane of any version; the one after that asks again.
  function refused(isInvalid, brought) {
    leftOut = !leftOut && !brought && isInvalid
    return leftOut
  }

  // check throws if a list is none.
  function check(secrets) {
    secrets.forEach(s => { if (s.name === NAME) parse(s.text) })
  }

  // take keeps what secrets say of ports.
  function take(secrets) {
    secrets.forEach(s => { if (s.name === NAME) told = new Set(parse(s.text)) })
  }

  return { isHTTP: port => own.has(port) || told.has(port), names, refused, check, take }
}

// parse reads decimal numbers with commas between them.
export function parse(list) {
  if (list === '') return []
  return list.split(',').map(text => {
    var port = Number(text)
    if (text.startsWith('0') || text.length > 5 || !text.split('').every(c => c >= '0' && c <= '9') || !(port > 0 && port < 65536)) {
      throw 'secret ' + NAME + ': ' + text.substring(0, 20) + ' is not a port'
    }
    return port
  })
}
