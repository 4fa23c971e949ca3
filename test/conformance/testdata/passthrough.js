// Mutual TLS without any of the sidecar's scripts, to measure these against:
//
//   pipy passthrough.js -- <directory of certificate, key and roots> <where connections go>

var directory = pipy.argv[1]
var target = pipy.argv[2]
var certificate = {
  cert: new crypto.CertificateChain(os.read(directory + '/chain.pem')),
  key: new crypto.PrivateKey(os.read(directory + '/key.pem')),
}
var trusted = [new crypto.Certificate(os.read(directory + '/ca.crt'))]
var verify = ok => ok

pipy.listen('127.0.0.1:15001', $=>$.connectTLS({ certificate, trusted, verify, minVersion: 'TLS1.2' }).to($=>$.connect(target)))
pipy.listen('0.0.0.0:15003', $=>$.acceptTLS({ certificate, trusted, verify, minVersion: 'TLS1.2' }).to($=>$.connect(target)))
