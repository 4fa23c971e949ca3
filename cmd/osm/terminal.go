package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

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

// sign is what a line begins with.
type sign int

const (
	done sign = iota
	beware
	failed
)

// sign is a character on a terminal, and elsewhere a word that can be searched for.
func (t *terminal) sign(s sign) string {
	sign, word, look := "✓", "ok     ", green
	switch s {
	case beware:
		sign, word, look = "!", "warning", yellow
	case failed:
		sign, word, look = "✗", "error  ", red
	}
	if !t.live {
		return word
	}
	return t.in(look, sign)
}

// say prints a line, over one that is only for the moment.
func (t *terminal) say(s sign, format string, args ...any) {
	t.erase()
	fmt.Fprintf(t, "%s %s\n", t.sign(s), fmt.Sprintf(format, args...))
}

// tell prints text without a sign.
func (t *terminal) tell(format string, args ...any) {
	t.erase()
	fmt.Fprintf(t, format+"\n", args...)
}

// moment shows what is waited for, on a terminal, until the next line.
func (t *terminal) moment(format string, args ...any) {
	if !t.live {
		return
	}
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	const most = 78
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	fmt.Fprintf(t, "\r\x1b[K  %s", t.in(dim, text))
	t.momentary = true
}

func (t *terminal) erase() {
	if t.momentary {
		fmt.Fprint(t, "\r\x1b[K")
		t.momentary = false
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
