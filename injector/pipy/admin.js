// What the sidecar tells: of no key, and nothing that could be used as one.

import { details } from './x509.js'

// ready answers the kubelet.
export function ready(secrets, sds) {
  if (secrets.ready()) return new Message({ status: 200 }, 'ready\n')
  return new Message({ status: 503 }, 'no valid certificate and bundle yet; last error: ' + sds.lastError + '\n')
}

// certs answers the operator.
export function certs(bootstrap, secrets, sds, counters) {
  var held = secrets.held()
  var report = { id: bootstrap.identity }
  if (held) {
    report.serial = held.serial
    report.notBefore = new Date(held.leaf.notBefore).toISOString()
    report.notAfter = new Date(held.leaf.notAfter).toISOString()
    report.issuer = 'CN=' + (held.leaf.issuer?.commonName || '')
  }
  report.roots = secrets.roots().map(root => details(root).sha256)
  report.version = sds.version
  report.connected = sds.connected
  report.sessions = sds.sessions
  report.updates = sds.updates
  report.nacks = sds.nacks
  report.inbound = counters.inbound
  report.outbound = counters.outbound
  report.denied = counters.denied
  report.lastError = sds.lastError
  return new Message({ status: 200, headers: { 'content-type': 'application/json' } }, JSON.stringify(report, null, 1) + '\n')
}

// metrics answers Prometheus, in its text format.
export function metrics(secrets, sds, counters) {
  var held = secrets.held()
  var lines = []
  function family(name, type, help, samples) {
    lines.push('# HELP ' + name + ' ' + help, '# TYPE ' + name + ' ' + type)
    samples.forEach(s => lines.push(name + s[0] + ' ' + s[1]))
  }
  family('osm_sidecar_certificate_expiry_timestamp_seconds', 'gauge', "When the sidecar's certificate expires, 0 without one.",
    [['', held ? Math.floor(held.leaf.notAfter / 1000) : 0]])
  family('osm_sidecar_connections_total', 'counter', 'Connections and requests of the mesh that the sidecar carried.',
    [['{direction="inbound"}', counters.inbound], ['{direction="outbound"}', counters.outbound]])
  family('osm_sidecar_denied_total', 'counter', 'Peers that the sidecar refused.', [['', counters.denied]])
  family('osm_sidecar_undeclared_http_total', 'counter', 'Connections on which the application answered HTTP, at a port that is not declared HTTP.', counters.undeclared.samples())
  family('osm_sidecar_sds_connected', 'gauge', 'Whether the sidecar is connected to the control plane.', [['', sds.connected ? 1 : 0]])
  family('osm_sidecar_sds_updates_total', 'counter', 'Secrets that the sidecar accepted.', [['', sds.updates]])
  family('osm_sidecar_sds_nacks_total', 'counter', 'Secrets that the sidecar rejected.', [['', sds.nacks]])
  return new Message({ status: 200, headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } }, lines.join('\n') + '\n')
}
