// Addresses as Go and Kubernetes write them: host:port, with IPv6 in brackets.

// split returns {host, port} of host:port, [ipv6]:port or host alone, whose
// port is then the one given. null if the port is none.
export function split(address, port) {
  if (address.startsWith('[')) {
    var close = address.indexOf(']')
    if (close < 0) return null
    return withPort(address.substring(1, close), address.substring(close + 1), port)
  }
  var colon = address.indexOf(':')
  if (colon < 0 || colon !== address.lastIndexOf(':')) return withPort(address, '', port)
  return withPort(address.substring(0, colon), address.substring(colon), port)
}

function withPort(host, rest, port) {
  if (rest === '') return port ? { host, port } : null
  var digits = rest.substring(1)
  if (!rest.startsWith(':') || digits === '' || digits.length > 5 || !digits.split('').every(c => c >= '0' && c <= '9')) return null
  var n = Number(digits)
  return n >= 1 && n <= 65535 ? { host, port: n } : null
}

// join is the reverse of split.
export function join(host, port) {
  return host.indexOf(':') >= 0 ? '[' + host + ']:' + port : host + ':' + port
}

// canonical writes an address of eight groups as RFC 5952 has it (section 4.2):
// its longest run of zeros, the first of several, is left out. Others stay.
export function canonical(ip) {
  var groups = ip.split(':')
  if (groups.length !== 8) return ip
  var start = 0
  var length = 1
  var run = 0
  groups.forEach((group, i) => {
    run = group === '0' ? run + 1 : 0
    if (run > length) {
      length = run
      start = i + 1 - run
    }
  })
  if (length === 1) return ip
  return groups.slice(0, start).join(':') + '::' + groups.slice(start + length).join(':')
}

// plain takes an IPv4 address out of the IPv6 form that a socket of both
// families gives it (RFC 4291, section 2.5.5.2).
export function plain(ip) {
  return ip.startsWith('::ffff:') && ip.indexOf('.') > 0 ? ip.substring(7) : ip
}
