package bugreport

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"regexp"
	"strings"
)

const (
	// mostEncoded is how often base64 may lie in base64, as a Secret in a Secret.
	mostEncoded = 4
	// mostRun bounds what is taken for one text in base64.
	mostRun = 1 << 20
)

// runs are what can be base64 (RFC 4648, sections 4 and 5): a line, or several
// whose ends are as they are, or escaped as in JSON and YAML, be it more than once.
var runs = regexp.MustCompile(`[A-Za-z0-9+/_-]{16,}={0,2}(?:(?:\\+[rn]|[\r\n]+[ \t]*)+[A-Za-z0-9+/_-]{16,}={0,2})*(?:(?:\\+[rn]|[\r\n]+[ \t]*)+[A-Za-z0-9+/_-]+={0,2})?`)

// printable is what a secret is part of: no shorter than a URL with who logs in.
// Next to nothing else that is decoded has as much.
var printable = regexp.MustCompile(`[\t\r\n -~]{12,}`)

var lineEnds = regexp.MustCompile(`\\+[rn]|\s`)

// redactEncoded takes out each text in base64 that has a secret in it, whole:
// where in it the secret begins depends on what stands before.
func redactEncoded(text []byte, depth int) []byte {
	return runs.ReplaceAllFunc(text, func(run []byte) []byte {
		if holdsSecret(run, depth) {
			return []byte(removed)
		}
		return run
	})
}

// holdsSecret decodes a run from each of the places where a group of four can
// begin: what stands before may be of the alphabet, too.
func holdsSecret(run []byte, depth int) bool {
	if len(run) > mostRun {
		return true // it cannot be checked, and no report needs it
	}
	standard := strings.NewReplacer("-", "+", "_", "/")
	for part := range bytes.SplitSeq(lineEnds.ReplaceAll(run, nil), []byte("=")) {
		part = []byte(standard.Replace(string(part)))
		for begin := range min(4, len(part)) {
			if isSecret(decode(part[begin:]), depth) {
				return true
			}
		}
	}
	return false
}

// decode decodes all groups that are whole, and what is left of the last.
func decode(part []byte) []byte {
	if len(part)%4 == 1 {
		part = part[:len(part)-1]
	}
	decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(part)))
	n, err := base64.RawStdEncoding.Decode(decoded, part)
	if err != nil {
		return nil
	}
	return decoded[:n]
}

func isSecret(decoded []byte, depth int) bool {
	if holdsKey(decoded) {
		return true
	}
	for _, text := range printable.FindAll(decoded, -1) {
		if !bytes.Equal(redactPlain(text), text) {
			return true
		}
		if depth == 1 {
			continue
		}
		for _, run := range runs.FindAll(text, -1) {
			if holdsSecret(run, depth-1) {
				return true
			}
		}
	}
	return false
}

// holdsKey looks for the DER of a private key: a SEQUENCE, whose length takes one
// to three bytes, that begins with a version (RFC 5958, section 2; RFC 5915,
// section 3; RFC 8017, appendix A.1.2). Before it may stand what is of the
// alphabet, too.
func holdsKey(decoded []byte) bool {
	for begin := 0; begin < len(decoded); begin++ {
		at := bytes.Index(decoded[begin:], []byte{0x02, 0x01})
		if at < 0 {
			return false
		}
		begin += at
		for length := 2; length <= 4; length++ {
			if begin >= length && isKey(decoded[begin-length:]) {
				return true
			}
		}
	}
	return false
}

// isKey reports whether it is the DER of a private key, as in PEM without the
// lines around.
func isKey(der []byte) bool {
	if len(der) < 2 || der[0] != 0x30 {
		return false
	}
	for _, parse := range []func([]byte) error{
		func(der []byte) error { _, err := x509.ParsePKCS8PrivateKey(der); return err },
		func(der []byte) error { _, err := x509.ParseECPrivateKey(der); return err },
		func(der []byte) error { _, err := x509.ParsePKCS1PrivateKey(der); return err },
	} {
		if parse(der) == nil {
			return true
		}
	}
	return false
}
