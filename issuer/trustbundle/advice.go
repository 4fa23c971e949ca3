package trustbundle

import (
	"bytes"
	"fmt"
	"strings"
)

const encrypted = "encrypted, and the mesh has no passphrase: decrypt it with openssl pkey -in FILE -out private.key"

// certificateAdvice says how certificates come out of a block of another type.
func certificateAdvice(kind string) string {
	switch {
	case kind == "TRUSTED CERTIFICATE" || kind == "X509 CERTIFICATE":
		return ": convert it with openssl x509 -in FILE -out ca.crt"
	case kind == "PKCS7" || kind == "CMS":
		return ": convert it with openssl pkcs7 -print_certs -in FILE -out ca.crt"
	case kind == "CERTIFICATE REQUEST" || kind == "NEW CERTIFICATE REQUEST":
		return ": have a CA sign the request, and put the certificate here"
	case isKey(kind):
		return ": remove the key, which nobody may read here, and see who could"
	}
	return ""
}

// keyAdvice says how a key comes out of a block of another type.
func keyAdvice(kind string) string {
	switch {
	case kind == "ENCRYPTED PRIVATE KEY":
		return ": it is " + encrypted
	case kind == "OPENSSH PRIVATE KEY":
		return ": convert it with ssh-keygen -p -m PKCS8 -f FILE"
	case kind == certificateType:
		return ": leave the key alone there, with openssl pkey -in FILE -out private.key"
	case strings.HasSuffix(kind, "PUBLIC KEY"):
		return ": put the private key there"
	}
	return ""
}

// none says what is wrong with a text that holds nothing of a kind.
func none(kind string, data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("no %s in it", kind)
	}
	return fmt.Errorf("not PEM: no %s in it: it is text without such a block, which begins with a line -----BEGIN …-----", kind)
}

// markerAdvice says how to repair a line that should be a marker.
func markerAdvice(line []byte) string {
	switch {
	case bytes.Contains(line, []byte(`-----\n`)) || bytes.Contains(line, []byte(`-----\r`)):
		return `: its line ends are written as \n, as in JSON: write real ones, as printf %b or jq -r do`
	case bytes.Contains(line, []byte("-----END ")) && bytes.Contains(line, []byte("-----BEGIN ")), bytes.HasPrefix(line, []byte("[-----BEGIN ")):
		return ": give each block lines of its own (vault read -field=ca_chain prints them joined: use -format=json and jq -r)"
	case bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("-----")) && (line[0] == ' ' || line[0] == '\t'):
		return ": it is indented: take the blanks before it away"
	}
	return ": write -----BEGIN CERTIFICATE----- and the like on lines of their own, with five dashes on both sides"
}

// unfinished says why a block has no end.
func unfinished(lines [][]byte) string {
	for _, line := range lines {
		if trimmed := bytes.TrimSpace(line); boundary.Match(trimmed) && !bytes.HasPrefix(line, trimmed) {
			return "its end is indented: take the blanks before it away, and before the other lines"
		}
		if bytes.Contains(line, []byte("-----")) {
			return "another marker stands where its end should"
		}
	}
	return "its end is missing"
}
