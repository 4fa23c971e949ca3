// The sidecar's listeners.

import { split, join } from './address.js'

// Pipy closes what is silent for a minute, unless told otherwise.
var OPTIONS = { idleTimeout: 0 }

// listen opens each address of a listener with the pipeline, and passes over
// those of a family that the pod does not have. It throws when none is left.
export default function (addresses, build) {
  if (addresses.filter(a => open(a, build)).length === 0) throw 'cannot listen on any of ' + addresses.join(', ')
}

function open(address, build) {
  var { host, port } = split(address)
  // A socket of IPv6 takes IPv4 as well, and keeps another of IPv4 from the port.
  if (host === '') return bind(join('::', port), build) || bind(join('0.0.0.0', port), build)
  return bind(join(host, port), build)
}

function bind(address, build) {
  try {
    pipy.listen(address, OPTIONS, build)
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
