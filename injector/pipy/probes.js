// What the kubelet asks the application through the sidecar: these probes
// only, because they are the one thing that passes without mutual TLS.

import { get, check, connect } from './ask.js'
import { split, join } from './address.js'
import { dropPeer } from './identify.js'

var REDIRECTS = 10
// What the kubelet sends with every probe and hook.
var KUBELET = ['accept', 'user-agent']

// find returns the probe that a request to the sidecar's port is for, or the
// status that refuses it.
export function find(probes, port, head) {
  var probe = probes.find(p => p.port === port && p.path === head.path)
  if (!probe) return { status: 404 }
  return head.method === 'GET' ? { probe } : { status: 405 }
}

// hostFor is what the kubelet would have sent without the sidecar: the address
// that it asks, unless the probe has a Host of its own.
export function hostFor(probe, own, host) {
  return host && hasHeader(probe, 'host') && host !== join(own, probe.port) ? host : join(own, probe.target)
}

// headersFor are those of a request that the kubelet would have sent. Who else
// asks adds nothing: headers of others lead requests elsewhere in some servers.
export function headersFor(probe, headers) {
  var kept = {}
  Object.keys(headers).forEach(name => {
    if (KUBELET.indexOf(name) >= 0 || hasHeader(probe, name)) kept[name] = headers[name]
  })
  dropPeer(kept)
  return kept
}

function hasHeader(probe, name) {
  return (probe.headers || []).some(header => header.toLowerCase() === name)
}

// redirection returns where a response leads, {secure, port, path, host}, as
// the kubelet follows it: within the pod only. null if it leads elsewhere.
export function redirection(location, last, own) {
  var absolute = location.indexOf('://')
  if (location.startsWith('//')) return redirection((last.secure ? 'https:' : 'http:') + location, last, own)
  if (absolute < 0 || location.substring(0, absolute).split('').some(c => '/?#'.indexOf(c) >= 0)) {
    return { secure: last.secure, port: last.port, path: resolve(location, last.path), host: last.host }
  }
  var scheme = location.substring(0, absolute).toLowerCase()
  if (scheme !== 'http' && scheme !== 'https') return null
  var rest = location.substring(absolute + 3)
  for (var end = 0; end < rest.length && '/?#'.indexOf(rest.charAt(end)) < 0; end++);
  var address = split(rest.substring(0, end), scheme === 'https' ? 443 : 80)
  if (!address || address.host !== own) return null
  return { secure: scheme === 'https', port: address.port, path: resolve(rest.substring(end) || '/', '/'), host: rest.substring(0, end) }
}

function resolve(location, path) {
  var target = location.split('#')[0]
  if (target.startsWith('/')) return target
  var base = path.split('?')[0]
  if (target === '') return path
  if (target.startsWith('?')) return base + target
  return base.substring(0, base.lastIndexOf('/') + 1) + target
}

// answer returns a promise of the response to a request of the kubelet's to the
// sidecar's port at the pod's own address. reserved are the ports that are
// never a target.
export default function (probes, port, own, reserved, request) {
  var found = find(probes, port, request.head)
  if (!found.probe) return Promise.resolve(new Message({ status: found.status }, 'no such probe\n'))
  var probe = found.probe
  var seconds = probe.timeoutSeconds
  switch (probe.kind) {
    case 'tcp': return connect(join(own, probe.target), seconds)
      .then(a => said(a.open, 'the application takes no connection'))
    case 'grpc': return check(join(own, probe.target), probe.service, seconds)
      .then(a => said(a.serving, a.error || 'not serving'))
    default: return follow({
      secure: probe.kind === 'https',
      port: probe.target,
      path: probe.targetPath || '/',
      host: hostFor(probe, own, request.head.headers.host),
    }, 0)
  }

  function follow(to, count) {
    if (reserved.has(to.port)) return said(false, "a redirect to the sidecar's own port")
    var headers = { ...headersFor(probe, request.head.headers), host: to.host }
    return get(join(own, to.port), to.secure, to.path, headers, seconds).then(answer => {
      if (!answer.message) return said(false, answer.error)
      return pass(answer.message, to, count)
    })
  }

  function pass(message, to, count) {
    var status = message.head.status
    var location = message.head.headers.location
    if (!location || [301, 302, 303, 307, 308].indexOf(status) < 0) {
      return new Message({ status, headers: { 'content-type': message.head.headers['content-type'] || 'text/plain' } }, message.body)
    }
    var next = redirection(location, to, own)
    if (!next) return said(true, '')
    if (count + 1 >= REDIRECTS) return said(false, 'stopped after 10 redirects')
    return follow(next, count + 1)
  }
}

function said(ok, otherwise) {
  return new Message({ status: ok ? 200 : 503 }, ok ? 'ok\n' : otherwise + '\n')
}
