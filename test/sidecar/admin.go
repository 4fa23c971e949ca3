package sidecar

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"time"
)

// report is what /certs tells: no key, and nothing that could be used as one.
type report struct {
	ID        string    `json:"id"`
	Serial    string    `json:"serial,omitempty"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	Issuer    string    `json:"issuer,omitempty"`
	Roots     []string  `json:"roots"` // SHA-256 of their DER
	Version   string    `json:"version"`
	Connected bool      `json:"connected"`
	Sessions  int64     `json:"sessions"`
	Updates   int64     `json:"updates"`
	NACKs     int64     `json:"nacks"`
	Inbound   int64     `json:"inbound"`
	Outbound  int64     `json:"outbound"`
	Denied    int64     `json:"denied"`
	LastError string    `json:"lastError"`
}

// admin answers who is in the pod: the operator, and an application that has
// done its work and wants its pod to complete.
func (s *Sidecar) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", s.ready)
	mux.HandleFunc("GET /certs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", " ")
		if err := encoder.Encode(s.report()); err != nil {
			s.options.Logger.Debug("cannot answer /certs", "error", err)
		}
	})
	mux.HandleFunc("POST /quit", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		s.end()
	})
	return mux
}

// readiness answers the kubelet, and any client that reaches the pod.
func (s *Sidecar) readiness() http.Handler {
	probes := s.probes(portOn(s.options.Bootstrap.Readiness))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			s.ready(w, r)
			return
		}
		probes.ServeHTTP(w, r)
	})
}

func (s *Sidecar) ready(w http.ResponseWriter, _ *http.Request) {
	if !s.State().Ready() {
		http.Error(w, "no valid certificate and bundle yet; last error: "+s.lastError(), http.StatusServiceUnavailable)
	}
}

func (s *Sidecar) report() report {
	state, c := s.State(), &s.counters
	r := report{
		ID:        s.options.Bootstrap.Identity,
		Roots:     []string{},
		Version:   state.version,
		Connected: c.connected.Load(),
		Sessions:  c.sessions.Load(),
		Updates:   c.updates.Load(),
		NACKs:     c.nacks.Load(),
		Inbound:   c.inbound.Load(),
		Outbound:  c.outbound.Load(),
		Denied:    c.denied.Load(),
		LastError: s.lastError(),
	}
	for _, root := range state.bundle.Roots() {
		sum := sha256.Sum256(root.Raw)
		r.Roots = append(r.Roots, hex.EncodeToString(sum[:]))
	}
	if leaf := state.Leaf(); leaf != nil {
		r.Serial, r.Issuer = leaf.SerialNumber.Text(16), leaf.Issuer.String()
		r.NotBefore, r.NotAfter = leaf.NotBefore, leaf.NotAfter
	}
	return r
}
