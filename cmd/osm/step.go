package main

import (
	"fmt"
	"strings"
	"time"
)

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
