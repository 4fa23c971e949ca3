package trustbundle

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// text is PEM as people and tools write it: blocks, and what is around them.
type text struct {
	blocks []*pem.Block
	lines  int  // outside of blocks that are passed over
	bom    bool // a byte order mark was passed over
}

const byteOrderMark = "\ufeff"

var (
	boundary = regexp.MustCompile(`^-----(BEGIN|END) ([ -,.-~]{1,64})-----$`)
	// brokenBoundary is a line that someone may take for a boundary, and that no
	// reader does. A text of its own cannot be told from half a block.
	brokenBoundary = regexp.MustCompile(`-----(BEGIN|END)|[-\x{2010}-\x{2015}\x{2212}]{2,}\s*(BEGIN|END)\b` +
		`|(?i)[-\x{2010}-\x{2015}\x{2212}]{2,}\s*(BEGIN|END)\b.*` + labels +
		`|(?i)` + labels + `\s*[-\x{2010}-\x{2015}\x{2212}]{3,}\s*$`)
	// body is a line of a block. Hexadecimal digits alone are a fingerprint.
	body        = regexp.MustCompile(`^[A-Za-z0-9+/]{60,}={0,2}$`)
	hexadecimal = regexp.MustCompile(`^[A-Fa-f0-9]*$`)
)

const labels = `(CERTIFICATE|KEY|PARAMETERS|REQUEST|CRL|PKCS\s*#?[0-9]+)`

// scan reads PEM blocks. Lines outside of them are passed over (RFC 7468,
// section 2), but for those that may be half a block: their writer meant
// more than what would be read. It refuses a block that is malformed or has
// headers, and more than MaxBytes. Its errors name lines, and don't repeat them.
func scan(data []byte) (*text, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%d bytes of PEM are larger than %d", len(data), MaxBytes)
	}
	if err := checkEncoding(data); err != nil {
		return nil, err
	}
	t, lines := &text{}, bytes.Split(data, []byte("\n"))
	for n := 0; n < len(lines); n++ {
		line := t.trim(lines[n])
		marker := boundary.FindSubmatch(line)
		switch {
		case len(line) == 0:
		case marker == nil:
			if err := checkOutside(line, n); err != nil {
				return nil, err
			}
			t.lines++
		case string(marker[1]) == "END":
			return nil, fmt.Errorf("not PEM: a block is malformed or cut off: line %d: its beginning is missing", n+1)
		default:
			lines[n] = line
			end := endOf(lines[n:], marker[2])
			if end < 0 {
				return nil, fmt.Errorf("not PEM: a block is malformed or cut off: line %d: %s", n+1, unfinished(lines[n+1:]))
			}
			block, err := decode(lines[n:n+end+1], n)
			if err != nil {
				return nil, err
			}
			t.blocks, n = append(t.blocks, block), n+end
		}
	}
	return t, nil
}

// trim takes off what has no meaning in a line outside of blocks.
func (t *text) trim(line []byte) []byte {
	rest, marked := bytes.CutPrefix(line, []byte(byteOrderMark))
	t.bom = t.bom || marked
	return trimRight(rest)
}

func trimRight(line []byte) []byte { return bytes.TrimRight(line, " \t\r") }

// endOf returns the line that ends the block which the first begins, -1 if there
// is none before another begins.
func endOf(lines [][]byte, label []byte) int {
	for i, line := range lines[1:] {
		if bytes.Contains(line, []byte("-----")) {
			marker := boundary.FindSubmatch(trimRight(line))
			if marker == nil || string(marker[1]) != "END" || !bytes.Equal(marker[2], label) {
				return -1
			}
			return i + 1
		}
	}
	return -1
}

// decode reads the one block of the lines, which begin after n others.
func decode(lines [][]byte, n int) (*pem.Block, error) {
	for _, line := range lines[1 : len(lines)-1] {
		if !bytes.ContainsRune(line, ':') {
			continue
		}
		if bytes.Contains(line, []byte("ENCRYPTED")) {
			return nil, fmt.Errorf("a PEM block with headers: line %d: it is %s", n+1, encrypted)
		}
		return nil, fmt.Errorf("a PEM block with headers, which RFC 7468 does not allow: line %d", n+1)
	}
	block, rest := pem.Decode(append(bytes.Join(lines, []byte("\n")), '\n'))
	if block == nil || len(rest) > 0 || len(block.Headers) > 0 {
		return nil, fmt.Errorf("not PEM: a block is malformed or cut off: line %d: what it holds is not base64", n+1)
	}
	return block, nil
}

func checkOutside(line []byte, n int) error {
	switch {
	case brokenBoundary.Match(line):
		return fmt.Errorf("not PEM: text outside of a block looks like a broken PEM marker: line %d%s", n+1, markerAdvice(line))
	case bytes.HasPrefix(line, []byte("LS0tLS1")):
		return fmt.Errorf("not PEM: line %d: it is PEM in base64, encoded once too often: decode it (base64 -d)", n+1)
	case body.Match(line) && !hexadecimal.Match(line):
		return fmt.Errorf("not PEM: text outside of a block looks like what belongs into one: line %d: put -----BEGIN …----- before and -----END …----- after it, or remove it", n+1)
	}
	return nil
}

// checkEncoding refuses what is no text of ASCII and its extensions.
func checkEncoding(data []byte) error {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}),
		len(data) > 1 && (data[0] == 0) != (data[1] == 0): // as ASCII is in it
		return errors.New("not PEM: it is UTF-16, as Windows tools write it: convert it with iconv -f UTF-16 -t UTF-8")
	case isDER(data):
		return errors.New("not PEM: it is DER: convert it with openssl x509 -inform der for a certificate, openssl pkey -inform der for a key, or openssl pkcs12 -nodes for PKCS #12")
	case bytes.ContainsRune(data, 0):
		return errors.New("not PEM: it holds a NUL byte: it is another format, or damaged")
	}
	return nil
}

// isDER reports whether it is a sequence, or begins as those of 128 bytes and more.
func isDER(data []byte) bool {
	var value asn1.RawValue
	rest, err := asn1.Unmarshal(data, &value)
	return len(data) > 1 && data[0] == 0x30 && (data[1] >= 0x80 || err == nil && len(rest) == 0)
}

// ignored describes what has been passed over.
func (t *text) ignored() string {
	var all []string
	if t.bom {
		all = append(all, "a byte order mark")
	}
	if t.lines > 0 {
		all = append(all, count(t.lines, "line")+" of text outside of PEM blocks")
	}
	once := distinct(t.blocks)
	if slices.ContainsFunc(once, func(b *pem.Block) bool { return b.Type == parametersType }) {
		all = append(all, "the curve beside the key (EC PARAMETERS)")
	}
	keys := 0
	for _, block := range once {
		if isKey(block.Type) {
			keys++
		}
	}
	if repeated := len(t.blocks) - len(once) + max(0, keys-1); repeated > 0 {
		all = append(all, count(repeated, "repeated block"))
	}
	return strings.Join(all, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
