package sidecar

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// requestHead is what of a head says where its request ends.
type requestHead struct {
	length    int64
	isChunked bool
}

func (r requestHead) next() stage {
	switch {
	case r.isChunked:
		return chunkSizeStage
	case r.length > 0:
		return bodyStage
	}
	return headStage
}

// readHead reads the lines of a request's head strictly (RFC 9112, sections 3, 5
// and 6).
func readHead(text string) (requestHead, error) {
	lines := strings.Split(text, "\r\n")
	method, version, err := requestLineOf(lines[0])
	if err != nil {
		return requestHead{}, err
	}
	var hosts, lengths, codings []string
	for _, line := range lines[1:] {
		name, value, err := field(line)
		if err != nil {
			return requestHead{}, err
		}
		switch strings.ToLower(name) {
		case "host":
			hosts = append(hosts, value)
		case "content-length":
			lengths = append(lengths, value)
		case "transfer-encoding":
			codings = append(codings, value)
		}
	}
	if len(hosts) > 1 || len(hosts) == 0 && version == "HTTP/1.1" {
		return requestHead{}, fmt.Errorf("%d fields Host", len(hosts))
	}
	return framing(method, version, lengths, codings)
}

func requestLineOf(line string) (method, version string, err error) {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !isName(parts[0]) || !isTarget(parts[1]) || parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0" {
		return "", "", errors.New("no request line")
	}
	return parts[0], parts[2], nil
}

func isName(name string) bool {
	for i := range len(name) {
		if !isToken(rune(name[i])) {
			return false
		}
	}
	return name != ""
}

func isTarget(target string) bool {
	for i := range len(target) {
		if !isPrintable(target[i]) {
			return false
		}
	}
	return target != ""
}

// field takes no continuation of another one.
func field(line string) (name, value string, err error) {
	name, value, found := strings.Cut(line, ":")
	if !found || !isName(name) {
		return "", "", errors.New("a header field without a name")
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", "", errors.New("a control character in a header field")
		}
	}
	return name, strings.Trim(value, " \t"), nil
}

// framing refuses what servers have taken for different lengths.
func framing(method, version string, lengths, codings []string) (requestHead, error) {
	var head requestHead
	switch {
	case len(lengths)+len(codings) > 1:
		return head, errors.New("more than one length")
	case len(codings) == 1:
		if version != "HTTP/1.1" || !strings.EqualFold(codings[0], "chunked") {
			return head, errors.New("a transfer coding that is not chunked, or not in HTTP/1.1")
		}
		head.isChunked = true
	case len(lengths) == 1:
		length, err := strconv.ParseUint(lengths[0], 10, 50)
		if err != nil || len(lengths[0]) > 15 {
			return head, errors.New("a length that is no number")
		}
		head.length = int64(length)
	}
	if head.next() != headStage && method == "HEAD" {
		return head, errors.New("a HEAD with content")
	}
	return head, nil
}
