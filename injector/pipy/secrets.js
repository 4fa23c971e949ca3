// The sidecar's certificate and the roots that it verifies peers with, as the
// control plane sent them last.

import { certificates, details, keyMatches, spiffeID } from './x509.js'

// A store of secrets for bootstrap.identity. Each handler of onRoots is called with
// every new bundle, as a list of crypto.Certificates that is never empty.
export default function (bootstrap) {
  var leaf = null
  var roots = null
  var watchers = []
  var ends = {}     // when our last certificate of a root ends, by the root's subject
  var above = {}    // the issuer of each intermediate that signed for us, by its subject

  // pair returns what TLS needs of a chain and its key, or throws.
  function pair(chain, key) {
    if (!chain || !key) throw 'no certificate with a key'
    var all = certificates(chain)
    var cert = all[0]
    if (!cert) throw 'no certificate in the chain'
    var id = spiffeID(cert)
    if (id !== bootstrap.identity) throw `a certificate for ${id}, not for ${bootstrap.identity}`
    if (cert.notAfter <= Date.now()) throw 'the certificate expired at ' + new Date(cert.notAfter).toISOString()
    var privateKey = new crypto.PrivateKey(key)
    if (!keyMatches(cert, privateKey)) throw 'the private key is not that of the certificate'
    all.slice(1).map(details).forEach(d => { above[d.subject] = d.issuer })
    return { cert: new crypto.CertificateChain(chain), key: privateKey, leaf: cert, serial: details(cert).serial }
  }

  // bundle returns the roots of a PEM bundle, or throws: without any, TLS
  // would verify no peer.
  function bundle(pem) {
    var trusted = certificates(pem || '')
    if (trusted.length === 0) throw 'no certificate in the trust bundle'
    trusted.forEach(root => {
      if (!details(root).ca) throw 'a certificate in the trust bundle is not a CA'
    })
    return { pem: pem.toString(), trusted }
  }

  // accept takes all of the secrets, or throws and takes none.
  function accept(secrets) {
    var nextLeaf = leaf
    var nextRoots = roots
    secrets.forEach(s => {
      try {
        if (s.name === bootstrap.sds.certificate) nextLeaf = pair(s.certificateChain, s.privateKey)
        if (s.name === bootstrap.sds.validation) nextRoots = bundle(s.trustedCA)
      } catch (e) {
        throw 'secret ' + s.name + ': ' + (e?.message || e)
      }
    })
    leaf = nextLeaf
    if (leaf) ends[rootOf(details(leaf.leaf).issuer)] = leaf.leaf.notAfter
    if (nextRoots?.pem === roots?.pem) return
    roots = nextRoots
    watchers.forEach(watch => watch(roots.trusted))
  }

  // current is the certificate with its key, null unless it is valid now.
  function current() {
    return leaf && Date.now() < leaf.leaf.notAfter ? leaf : null
  }

  // rootOf returns the subject of the root that signs for who has this one, as
  // far as our own chains tell; the name itself if they don't.
  function rootOf(subject) {
    for (var steps = 0; above[subject] && above[subject] !== subject && steps < 16; steps++) subject = above[subject]
    return subject
  }

  // outlived tells whether all that we had of a root has ended.
  function outlived(root) {
    return ends[root] < Date.now()
  }

  return {
    accept,
    rootOf,
    outlived,
    current,
    ready: () => current() !== null && roots !== null,
    held: () => leaf,
    roots: () => roots ? roots.trusted : [],
    onRoots: watch => { watchers.push(watch) },
  }
}
