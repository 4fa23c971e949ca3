package bugreport

import (
	"regexp"
)

const removed = "REMOVED"

// redaction is what is never to leave a cluster, wherever it came to be: in a
// log of another's, an annotation, an Event.
type redaction struct {
	secret *regexp.Regexp
	by     string // as [regexp.Regexp.ReplaceAll] has it
}

var redactions = []redaction{
	// Private keys, PEM (RFC 7468), with the headers of RFC 1421 that encrypted ones
	// have; with line ends as they are, or as JSON and YAML escape them. One that is
	// cut off takes with it what can be of it, before or after.
	{regexp.MustCompile(`(?s)-----BEGIN[A-Z0-9+\s]*PRIVATE[+\s]+KEY[A-Z+\s]*-----.*?-----END[A-Z0-9+\s]*PRIVATE[+\s]+KEY[A-Z+\s]*-----`), removed},
	{regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----[^\n]*(\n[ \t]*([A-Za-z-]+: [^\n]*|[A-Za-z0-9+/=]*)\r?)*`), removed},
	{regexp.MustCompile(`([A-Za-z0-9+/]{16,}={0,2}(\\[rn]|\s)+)*[A-Za-z0-9+/]*={0,2}(\\[rn]|\s)*-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----`), removed},
	// JSON Web Tokens, as those of service accounts.
	{regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`), removed},
	// Tokens of Vault.
	{regexp.MustCompile(`\bhv[sbr]\.[A-Za-z0-9_-]{16,}`), removed},
	{regexp.MustCompile(`\b[sbr]\.[A-Za-z0-9]{24}\b`), removed},
	// What authorises a request, with whatever stands between a name and its value
	// in JSON, in YAML that folds lines, and as Go writes a map.
	{regexp.MustCompile(`(?i)(bearer\s+|x-vault-token\W{1,8}|authorization\W{1,8}basic\s+)[A-Za-z0-9._~+/=-]{8,}`), removed},
	{regexp.MustCompile(`(?i)(vault_token(?:\\?["'])?\s*,?\s*(?:[=:]|\\?["']?value\\?["']?\s*:)\s*(?:\\?["'])?)[A-Za-z0-9._~+/=-]{8,}`), "${1}" + removed},
	// The private part of a JSON Web Key (RFC 7518, section 6).
	{regexp.MustCompile(`(\\*"(?:d|p|q|dp|dq|qi|k)\\*"\s*:\s*\\*")[A-Za-z0-9_-]{32,}`), "${1}" + removed},
	// Who logs in by a URL (RFC 3986, section 3.2.1), its slashes escaped or not, or
	// the URL itself within another.
	{regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*:(?:\\?/){2})(?:[^\s/\\?#"'<>]|\\u[0-9a-f]{4})+@`), "${1}" + removed + "@"},
	{regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*%3A%2F%2F)(?:[a-z0-9._~!$'()*+,;:=-]|%(?:[013-9A-F][0-9A-F]|2[0-9A-E]))+%40`), "${1}" + removed + "%40"},
	// A password that is not escaped, though it should be: what follows the colon is
	// no port.
	{regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*:(?:\\?/){2}[^\s:/\\?#"'<>@]+:)[0-9]*[^\s@:/?#"'0-9][^\s@:]*@`), "${1}" + removed + "@"},
}

// redact takes secrets out of a text: as they are, and in base64.
func redact(text []byte) []byte { return redactEncoded(redactPlain(text), mostEncoded) }

func redactPlain(text []byte) []byte {
	for _, r := range redactions {
		text = r.secret.ReplaceAll(text, []byte(r.by))
	}
	return text
}
