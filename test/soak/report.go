package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// report is what is written for programs to read.
type report struct {
	Handshakes      int64   `json:"handshakes"`
	PipyHandshakes  int64   `json:"pipyHandshakes"` // of those, with a Pipy
	PipyRequests    int64   `json:"pipyRequests"`   // from a Pipy to another
	Failures        int64   `json:"failures"`
	WrongIdentities int64   `json:"wrongIdentities"`
	Newcomers       int64   `json:"newcomers"` // certificates that had just begun, and were refused where clocks were behind
	Unready         int64   `json:"unready"`   // pairs that were passed over after a suspension
	Rotations       int     `json:"rotations"`
	SlowestRotation float64 `json:"slowestRotationSeconds"`
	Resumed         float64 `json:"readyAfterSuspensionSeconds"`
	Kills           int64   `json:"kills"`
	Pipy            string  `json:"pipy,omitempty"` // its version
	*record
}

// write writes soak.json and soak.svg into the directory.
func (s *soak) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	t := &s.tally
	t.mu.Lock()
	r := report{
		t.handshakes.Load(), t.pipy.Load(), t.requests.Load(), t.failures.Load(), t.wrong.Load(), t.newcomers.Load(), t.unready.Load(),
		t.rotations, t.slowest.Seconds(), s.resumed.Seconds(), t.kills.Load(), s.pipys.version(), &s.record,
	}
	t.mu.Unlock()
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	picture, err := os.Create(filepath.Join(dir, "soak.svg"))
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "soak.json"), append(data, '\n'), 0o644), s.record.plot(picture), picture.Close())
}
