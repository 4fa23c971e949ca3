package cluster_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/osm-edge/osm/test/cluster"
)

func TestStartRefusesWhatItCantUse(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	for want, options := range map[string]cluster.Options{
		"image a:v1: leave out the tag":            {Images: map[string]string{"a:v1": os.DevNull}},
		"image a: stat /nonexistent: no such file": {Images: map[string]string{"a": "/nonexistent"}},
		"choose a shorter directory":               {Dir: long},
	} {
		c, err := cluster.Start(t.Context(), options)
		if err == nil {
			t.Errorf("started, want an error that says %q; stop: %v", want, c.Stop())
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that says %q", err, want)
		}
	}
	if _, err := os.Stat(long); !os.IsNotExist(err) {
		t.Errorf("the directory of what didn't start: %v, want none", err)
	}
}
