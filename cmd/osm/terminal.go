package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// style is how text stands out. It is empty where it could not be seen.
type style string

const (
	plain  style = ""
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	red    style = "\x1b[31m"
	green  style = "\x1b[32m"
	yellow style = "\x1b[33m"

	reset = "\x1b[0m"
)

// terminal is what a command prints on. What is not a terminal gets no colours
// and no lines that are overwritten, and neither does one whose user set
// NO_COLOR (no-color.org).
type terminal struct {
	io.Writer
	colours   bool
	live      bool // a line may be overwritten
	momentary bool // one is shown that will be
}

func newTerminal(out io.Writer) *terminal {
	file, ok := out.(*os.File)
	live := ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
	return &terminal{Writer: out, live: live, colours: live && os.Getenv("NO_COLOR") == ""}
}

// in returns the text in a style.
func (t *terminal) in(s style, text string) string {
	if !t.colours || s == plain {
		return text
	}
	return string(s) + text + reset
}
