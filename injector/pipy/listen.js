// The sidecar's listeners.

import { split, join } from './address.js'

// listen opens each address of a listener with the pipeline, and passes over
// those of a family that the pod does not have. It throws when none is left.
// Connections end that are silent for so many seconds, unless it is 0.
export default function (addresses, idleTimeout, build) {
  if (addresses.filter(a => open(a, idleTimeout, build)).length === 0) throw 'cannot listen on any of ' + addresses.join(', ')
}

function open(address, idleTimeout, build) {
  var { host, port } = split(address)
  // A socket of IPv6 takes IPv4 as well, and keeps another of IPv4 from the port.
  if (host === '') return bind(join('::', port), idleTimeout, build) || bind(join('0.0.0.0', port), idleTimeout, build)
  return bind(join(host, port), idleTimeout, build)
}

function bind(address, idleTimeout, build) {
  try {
    pipy.listen(address, { idleTimeout }, build)
    return true
  } catch (e) {
    console.info('listen:', e?.message || e)
    return false
  }
}

// ports returns the port of each address of a listener.
export function ports(listener) {
  return listener.listen.map(address => split(address).port)
}
