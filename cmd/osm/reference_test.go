package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

const reference = "../../docs/reference/cli.md"

// TestTheReferenceOfCommandsIsThatOfTheProgram writes what the commands say of
// themselves, a section for each.
func TestTheReferenceOfCommandsIsThatOfTheProgram(t *testing.T) {
	t.Setenv("HOME", "/home/you") // a default that a flag shows may be below it
	root := newCommand()
	root.InitDefaultCompletionCmd()
	out := bytes.NewBufferString("# Commands\n\nGenerated from the commands of `osm`.\n\n")
	describe(t, root, out)
	got := bytes.TrimRight(out.Bytes(), "\n")
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(reference, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: run make generate", reference)
	}
}

// describe writes a command and those below it.
func describe(t *testing.T, command *cobra.Command, out *bytes.Buffer) {
	t.Helper()
	if command.Name() == "help" || command.Hidden {
		return
	}
	command.DisableAutoGenTag = true
	section := &bytes.Buffer{}
	link := func(name string) string {
		return "#" + strings.ReplaceAll(strings.TrimSuffix(name, ".md"), "_", "-")
	}
	if err := doc.GenMarkdownCustom(command, section, link); err != nil {
		t.Fatal(err)
	}
	out.Write(section.Bytes())
	out.WriteString("\n")
	for _, child := range command.Commands() {
		describe(t, child, out)
	}
}
