// Where an intercepted connection was going before it was led to the sidecar.

import { join, canonical, plain } from './address.js'

var SOL_IP = 0
var SOL_IPV6 = 41
var AF_INET = 2
var AF_INET6 = 10
var SO_ORIGINAL_DST = 80    // IP6T_SO_ORIGINAL_DST is the same

// origin returns {host, port} of an accepted connection, as the kernel remembers
// it (linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h). null if it was
// not led here, or the kernel does not say.
export default function (inbound) {
  var local = plain(inbound.localAddress)
  var address = decode(option(inbound.socket, local.indexOf(':') < 0 ? SOL_IP : SOL_IPV6))
  if (!address || address.port === inbound.localPort && canonical(address.host) === local) return null
  return address
}

// isOwn reports whether a connection that was accepted at an address went to an
// address of the pod. The kernel lets in connections to any address, loopback
// included, if a neighbour sends them here and they are redirected.
export function isOwn(origin, local) {
  var address = plain(local)
  return canonical(origin.host) === address && !address.startsWith('127.') && address !== '::1'
}

function option(socket, level) {
  var value = new Data
  return socket.getRawOption(level, SO_ORIGINAL_DST, value) === 0 ? value.toArray() : []
}

// decode reads a sockaddr_in, family, port and 4 bytes of address, or a
// sockaddr_in6, with 4 bytes of flow and 16 of address. What follows is nothing:
// the kernel leaves the length as it was asked.
export function decode(b) {
  if (b.length < 8) return null
  var family = b[0] + b[1]    // in the machine's order of bytes
  var port = b[2] * 256 + b[3]
  if (port === 0) return null
  if (family === AF_INET) return { host: b.slice(4, 8).join('.'), port }
  if (family !== AF_INET6 || b.length < 24) return null
  var groups = []
  for (var i = 8; i < 24; i += 2) groups.push((b[i] * 256 + b[i + 1]).toString(16))
  return { host: groups.join(':'), port }
}

export function text(origin) {
  return join(origin.host, origin.port)
}
