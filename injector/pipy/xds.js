// The messages of SDS, envoy.service.secret.v3.SecretDiscoveryService, as
// protobuf. Numbers are those of envoy's service/discovery/v3/discovery.proto,
// extensions/transport_sockets/tls/v3 and config/core/v3.

var SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'
var INVALID_ARGUMENT = 3    // google.rpc.Code

// request encodes a DiscoveryRequest: the first of a stream with the node, each
// later one an ACK, or a NACK with the error.
export function request({ version, node, names, nonce, error }) {
  var m = new protobuf.Message
  if (version) m.setString(1, version)
  if (node) {
    m.setMessage(2, new protobuf.Message()
      .setString(1, node.id)
      .setString(2, node.cluster)
      .setString(6, 'pipy')
    )
  }
  m.setStringArray(3, names)
  m.setString(4, SECRET)
  if (nonce) m.setString(5, nonce)
  if (error) m.setMessage(6, new protobuf.Message().setInt32(1, INVALID_ARGUMENT).setString(2, error))
  return protobuf.encode(m)
}

// response decodes a DiscoveryResponse.
export function response(data) {
  var m = protobuf.decode(data)
  if (!m) throw 'what the server sent is no DiscoveryResponse'
  return { version: string(m, 1), nonce: string(m, 5), resources: m.getMessageArray(2) || [] }
}

// secret decodes one resource: {name, certificateChain, privateKey, trustedCA},
// each Data or null, the names of peers, and the text of a generic secret.
export function secret(resource) {
  if (string(resource, 1) !== SECRET) throw 'a resource of type ' + string(resource, 1)
  var m = protobuf.decode(bytes(resource, 2) || new Data)
  if (!m) throw 'a resource is no Secret'
  var pair = message(m, 2)
  var context = message(m, 4)
  var generic = message(m, 5)
  return {
    name: string(m, 1),
    certificateChain: pair ? inline(message(pair, 1)) : null,
    privateKey: pair ? inline(message(pair, 2)) : null,
    trustedCA: context ? inline(message(context, 1)) : null,
    text: (generic && inline(message(generic, 1)) || new Data).toString() || '',
    peers: context ? (context.getMessageArray(15) || []).map(peer) : [],
  }
}

// peer reads one of match_typed_subject_alt_names: the whole name, empty if the
// rule is about a part of it.
function peer(matcher) {
  var name = message(matcher, 2)
  return name ? string(name, 1) : ''
}

function inline(source) {
  return source ? bytes(source, 2) || bytes(source, 3) : null    // inline_bytes, inline_string
}

// Of protobuf.Message's getters only those of arrays are right: getBytes()
// answers true, getString() and getMessage() leak what they return.
function bytes(m, field) {
  return m.getBytesArray(field)?.[0] || null
}

function string(m, field) {
  return m.getStringArray(field)?.[0] || ''
}

function message(m, field) {
  return m.getMessageArray(field)?.[0] || null
}
