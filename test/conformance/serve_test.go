package conformance

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/osm-edge/osm/injector"
)

// memory is what the sidecar's processes hold, in bytes.
func (p *proxy) memory() (bytes int) {
	p.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		p.t.Fatal(err)
	}
	group := regexp.MustCompile(`(?m)^(NSpgid|VmRSS):\s+(\d+)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		found := map[string]int{}
		for _, m := range group.FindAllStringSubmatch(string(text), -1) {
			found[m[1]], _ = strconv.Atoi(m[2])
		}
		if found["NSpgid"] == p.process.Process.Pid {
			bytes += found["VmRSS"] << 10
		}
	}
	return bytes
}

// mostGrowth is how much a sidecar may take for what strangers send, in bytes.
var mostGrowth = 16 << 20

// keepsNothingOfWhatStrangersSend is of the ports that answer in plain
// text any client of the pod.
func keepsNothingOfWhatStrangersSend(t *testing.T, program string) {
	m := newMesh(t, program)
	p := m.start(func(b *injector.Bootstrap) {
		b.Probes = []injector.Probe{probe(15901, "/osm/app/liveness", injector.HTTPProbe, 8080, "/healthz")}
	})
	m.reference()
	p.waitReady(pipyAddress)
	part := strings.Repeat("a", 1<<20)
	attacks := map[string]func(io.Writer) error{
		"a body": func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "POST /ready HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n")
			return err
		},
		"a body of a GET": func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "GET /ready HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n")
			return err
		},
		"chunks": func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "POST /ready HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n")
			return err
		},
		"a header": func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "GET /ready HTTP/1.1\r\nHost: a\r\nX: ")
			return err
		},
		"what follows the preface of HTTP/2": func(w io.Writer) error {
			_, err := io.WriteString(w, http2.ClientPreface)
			return err
		},
	}
	before := p.memory()
	for _, port := range []string{"15901", "15902", "15010"} {
		for name, begin := range attacks {
			conn, err := dial(m.otherPod, net.JoinHostPort(pipyAddress, port))
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
				t.Fatal(err)
			}
			err = begin(conn)
			for range 64 {
				if err == nil {
					_, err = io.WriteString(conn, part)
				}
			}
			if grown := p.memory() - before; grown > mostGrowth {
				t.Errorf("port %s, %s: %d MiB more (the connection: %v)", port, name, grown>>20, err)
			}
			conn.Close()
		}
		conn, err := dial(m.otherPod, net.JoinHostPort(pipyAddress, port))
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetWriteDeadline(time.Now().Add(2 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for range 64 { // it may be refused
			if _, err := io.WriteString(conn, strings.Repeat("GET /osm/app/liveness HTTP/1.1\r\nHost: a\r\n\r\n", 10_000)); err != nil {
				break
			}
		}
		if grown := p.memory() - before; grown > mostGrowth {
			t.Errorf("port %s, requests without end: %d MiB more", port, grown>>20)
		}
		conn.Close()
	}
	p.waitReady(pipyAddress)
}
