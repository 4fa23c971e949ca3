package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// after is a record with a fault in its first ten seconds, and memory since then.
func after(megabytes ...float64) *record {
	r := &record{Faults: []period{{"it <fails>", 2, 10}}, Samples: []sample{{Seconds: 1, Memory: map[string]float64{"osm-controller": 500}}}}
	for i, size := range megabytes {
		r.Samples = append(r.Samples, sample{Seconds: float64(10 + i), Handshakes: int64(i * 1000), Memory: map[string]float64{"osm-controller": size}})
	}
	return r
}

func TestMemoryIsFlatIfItDoesNotGrowAfterTheLastFault(t *testing.T) {
	for name, tc := range map[string]struct {
		megabytes []float64
		want      string // of the error; none when empty
	}{
		"the same":       {[]float64{50, 52, 50, 51, 50, 52, 51, 50}, ""},
		"less":           {[]float64{80, 80, 80, 80, 50, 50, 50, 50}, ""},
		"a peak":         {[]float64{50, 50, 50, 50, 50, 90, 50, 50}, ""},
		"more and more":  {[]float64{50, 54, 58, 62, 66, 70, 74, 78}, "osm-controller has grown from 58.0 to 74.0 MB"},
		"too few to say": {[]float64{50, 50, 50}, "only 3 samples"},
	} {
		t.Run(name, func(t *testing.T) {
			err := errors.Join(after(tc.megabytes...).flat()...)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestThePlotIsAPictureOfTheRecord(t *testing.T) {
	var picture bytes.Buffer
	if err := after(50, 60, 50, 40).plot(&picture); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"osm-controller", "it &lt;fails&gt;", "polyline", "handshakes a second"} {
		if !strings.Contains(picture.String(), want) {
			t.Errorf("the picture has no %s", want)
		}
	}
	for d := xml.NewDecoder(&picture); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAProcessOfAnyNameHasAParent(t *testing.T) {
	pid, parent, err := parentOf("42 (a) b (c) S 7 42 42 0 -1")
	if pid != 42 || parent != 7 || err != nil {
		t.Errorf("process %d of %d, error %v", pid, parent, err)
	}
	if _, _, err := parentOf("nothing"); err == nil {
		t.Error("no error")
	}
}
