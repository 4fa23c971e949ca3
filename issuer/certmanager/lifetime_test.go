package certmanager

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

func TestALifetimeIsAskedForInSecondsAndNoLongerThanARootLives(t *testing.T) {
	now := time.Now()
	roots := trustbundle.New(
		&x509.Certificate{Raw: []byte{1}, NotAfter: now.Add(time.Hour)},
		&x509.Certificate{Raw: []byte{2}, NotAfter: now.Add(10*time.Hour + time.Millisecond)},
	)
	ended := trustbundle.New(&x509.Certificate{Raw: []byte{1}, NotAfter: now})
	tests := map[string]struct {
		ttl   time.Duration
		roots trustbundle.TrustBundle
		want  time.Duration
		says  string
	}{
		"half an hour":         {30 * time.Minute, roots, 30 * time.Minute, ""},
		"an hour and a half":   {90 * time.Minute, roots, 90 * time.Minute, ""},
		"seconds and a bit":    {61*time.Second + 900*time.Millisecond, roots, 61 * time.Second, ""},
		"more than the root's": {24 * time.Hour, roots, 10 * time.Hour, ""},
		"nothing":              {0, roots, 0, "shorter than a second"},
		"less than nothing":    {-time.Hour, roots, 0, "shorter than a second"},
		"of an ended root":     {time.Hour, ended, 0, "the last root ends at"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := lifetime(test.ttl, test.roots, now)
			if got != test.want || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s, error %v; want %s, %q", got, err, test.want, test.says)
			}
		})
	}
}

func TestAShortenedLifetimeIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	s := shortening{logger: slog.New(slog.NewTextHandler(&log, nil))}
	now := time.Now()
	for _, step := range []struct {
		granted time.Duration
		told    int
		why     string
	}{
		{24 * time.Hour, 0, "what was asked"},
		{24*time.Hour - time.Minute, 0, "a little less"},
		{time.Hour, 1, "much less"},
		{time.Hour + time.Second, 1, "about the same again"},
		{8 * time.Hour, 2, "another cut"},
		{24 * time.Hour, 2, "none any more"},
		{8 * time.Hour, 3, "the cut once more"},
	} {
		s.see(&x509.Certificate{NotAfter: now.Add(step.granted)}, 24*time.Hour, now)
		if told := strings.Count(log.String(), "shortens"); told != step.told {
			t.Errorf("after %s, %s: told %d times, want %d", step.granted, step.why, told, step.told)
		}
	}
}
