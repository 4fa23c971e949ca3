package bugreport

import "regexp"

const removed = "REMOVED"

// redactions are what is never to leave a cluster, wherever it came to be: in a
// log of another's, an annotation, an Event.
func redactions() []*regexp.Regexp {
	return []*regexp.Regexp{
		// Private keys, PEM; with line ends as they are, or as JSON and YAML escape them.
		regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*PRIVATE KEY-----)?`),
		// The same, in base64: "-----BEGIN" makes LS0tLS1CRUdJTi, certificates go on with
		// BDRVJUSUZJ.
		regexp.MustCompile(`LS0tLS1CRUdJTi(BQUklW|BFQyBQ|BSU0Eg|BFTkNS|BPUEVO)[A-Za-z0-9+/=\\n]*`),
		// JSON Web Tokens, as those of service accounts.
		regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`),
		// Tokens of Vault.
		regexp.MustCompile(`\bhv[sbr]\.[A-Za-z0-9_-]{16,}`),
		regexp.MustCompile(`\b[sbr]\.[A-Za-z0-9]{24}\b`),
		regexp.MustCompile(`(?i)(bearer |x-vault-token: ?)[A-Za-z0-9._~+/=-]{8,}`),
	}
}

func redact(text []byte) []byte {
	for _, secret := range redactions() {
		text = secret.ReplaceAll(text, []byte(removed))
	}
	return text
}
