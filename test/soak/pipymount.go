package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer/rotation"
)

// bootstrap has Pipy listen on the pod's addresses of this machine, and find here
// what the kubelet would mount.
func (p *pipy) bootstrap(b injector.Bootstrap, sds string) injector.Bootstrap {
	at := func(l injector.Listener) injector.Listener {
		for i, address := range l.Listen {
			_, port, _ := net.SplitHostPort(address)
			l.Listen[i] = net.JoinHostPort(p.host, port)
		}
		l.Listen = l.Listen[:1]
		return l
	}
	b.Inbound, b.Outbound, b.Admin, b.Readiness, b.Metrics = at(b.Inbound), at(b.Outbound), at(b.Admin), at(b.Readiness), at(b.Metrics)
	b.SDS.Address, b.Probes = sds, nil
	b.SDS.TokenFile, b.SDS.CAFile = filepath.Join(p.dir, "token"), filepath.Join(p.dir, rotation.BundleKey)
	return b
}

// mounter returns what writes the mounted files anew when that is due.
func (s *soak) mounter(p *pipy, read func(string) ([]byte, error)) func() error {
	began, delay := time.Now(), rand.N(kubeletDelay)
	var renewed time.Time
	return func() error {
		roots, err := s.bundles.mounted(p.pod.Namespace, began, delay)
		if err == nil {
			err = replaceFile(filepath.Join(p.dir, rotation.BundleKey), roots)
		}
		// By the wall clock, as the kubelet: it may have jumped.
		if time.Now().Round(0).Sub(renewed) < tokenPeriod {
			return err
		}
		token, err2 := read(path.Join(p.dir, "token"))
		if err2 == nil {
			err2 = replaceFile(filepath.Join(p.dir, "token"), token)
		}
		if err2 == nil {
			renewed = time.Now().Round(0)
		}
		return errors.Join(err, err2)
	}
}

// replaceFile replaces a file at once.
func replaceFile(name string, content []byte) error {
	if err := os.WriteFile(name+".next", content, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".next", name)
}
