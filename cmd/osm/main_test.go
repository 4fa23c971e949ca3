package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/osm-edge/osm/cmd/internal/component"
)

func TestTheVersionIsPrinted(t *testing.T) {
	command := newCommand()
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetArgs([]string{"version", "--client"})
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "osm "+component.Version()+" (go1.") {
		t.Errorf("printed %q", &out)
	}
}

func TestAMistakeIsSaidByMainAlone(t *testing.T) {
	for _, args := range [][]string{{"unknown"}, {"inject"}, {"version", "extra"}, {"version", "-o", "yaml"}} {
		command := newCommand()
		var out bytes.Buffer
		command.SetOut(&out)
		command.SetErr(&out)
		command.SetArgs(args)
		if err := command.Execute(); err == nil || out.Len() > 0 {
			t.Errorf("%q: error %v, printed %q", args, err, &out)
		}
	}
}
