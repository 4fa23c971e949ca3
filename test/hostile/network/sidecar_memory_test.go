//go:build hostile

package network

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/osm-edge/osm/test/attack"
)

// mostGrown is how many bytes a sidecar may take for strangers at its plain ports.
const mostGrown = 32 << 20

// attackMemory has strangers send without end to the ports that answer in plain
// text.
func (s *store) attackMemory(t *testing.T, area string) {
	for what, begin := range map[string]string{
		"a body":                     "POST /ready HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n",
		"chunks":                     "GET /ready HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n",
		"a header":                   "GET /ready HTTP/1.1\r\nHost: a\r\nX: ",
		"what is HTTP/2 and is none": http2.ClientPreface,
	} {
		for _, port := range []string{"15901", "15902", "15010"} {
			attack.Refused(t, area, what+" of 64 MiB to port "+port, func(*testing.T) (string, error) {
				return s.flood(port, begin, strings.Repeat("a", 1<<20))
			})
		}
	}
	attack.Refused(t, area, "a million requests that no one reads the answers of", func(*testing.T) (string, error) {
		return s.flood("15902", "", strings.Repeat("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n", 16_000))
	})
	attack.Works(t, area, "the kubelet meanwhile", func(*testing.T) (string, error) {
		answer, err := s.plain(storeAddress+":15902", "GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if !strings.Contains(answer, " 200 ") {
			return "", fmt.Errorf("%q, %v", answer, err)
		}
		return "the sidecar is ready", nil
	})
}

// flood tells how much the sidecar holds of what one connection sends.
func (s *store) flood(port, begin, part string) (string, error) {
	before, err := s.memory()
	if err != nil {
		return "", err
	}
	conn, err := dial(s.attacker, net.JoinHostPort(storeAddress, port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return "", err
	}
	_, err = io.WriteString(conn, begin)
	for range 64 {
		if err == nil {
			_, err = io.WriteString(conn, part)
		}
	}
	after, failure := s.memory()
	if failure != nil {
		return "", failure
	}
	if grown := after - before; grown > mostGrown {
		return "", fmt.Errorf("the sidecar holds %d MiB more (the connection: %v)", grown>>20, err)
	}
	return fmt.Sprintf("the sidecar holds %d KiB more", max(0, after-before)>>10), nil
}

// memory is what the sidecar's process holds, in bytes.
func (s *store) memory() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0, fmt.Errorf("no VmRSS in %s", text)
	}
	kilobytes, err := strconv.Atoi(fields[0])
	return kilobytes << 10, err
}

// attackUpgrades hides requests behind an upgrade to HTTP.
func (s *store) attackUpgrades(t *testing.T, area string) {
	for _, protocol := range []string{"h2c", "H2C", "TLS/1.0", "HTTP/2.0", "SPDY/3.1", "websocket, h2c"} {
		app, port := s.record("[::]:0", "", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+protocol+"\r\n\r\n")
		attack.Refused(t, area, "a request after an upgrade to "+protocol, func(t *testing.T) (string, error) {
			return s.refused(app, net.JoinHostPort(storeAddress, port), forged, false,
				"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "+protocol+"\r\n\r\n", hidden)
		})
	}
}
