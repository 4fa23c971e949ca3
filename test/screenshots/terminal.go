package main

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// picture runs the command on a terminal, and draws what is on it in the end.
func (p *photographer) picture(ctx context.Context, name string, args ...string) error {
	command := append([]string{filepath.Join(p.bin, "osm")}, args...)
	cmd := exec.CommandContext(ctx, "script", "--quiet", "--return", "--command", quote(command), os.DevNull)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.cluster.Kubeconfig(), "TERM=xterm-256color", "NO_COLOR=")
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("osm %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	page, lines := document("osm "+strings.Join(args, " "), string(output))
	dir, err := os.MkdirTemp("", "screenshot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "terminal.html")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		return err
	}
	return p.draw(ctx, name, "file://"+file, 60+20*lines)
}

// quote makes one text of the words, for the shell that script starts.
func quote(words []string) string {
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(quoted, " ")
}

// document is a page that shows the command and its output, and how many lines
// that is.
func document(command, output string) (page string, lines int) {
	var text strings.Builder
	fmt.Fprintf(&text, "<span class=prompt>$</span> %s\n", html.EscapeString(command))
	for line := range strings.Lines(strings.ReplaceAll(output, "\r\n", "\n")) {
		shown := visible(line)
		text.WriteString(shown)
		lines += 1 + len(tags.ReplaceAllString(shown, ""))/columns
	}
	return `<!doctype html><meta charset=utf-8><style>
body { margin: 0; background: #16181d; color: #d8dce4; font: 14px/20px "DejaVu Sans Mono", monospace }
pre { margin: 20px; font: inherit; white-space: pre-wrap }
.prompt, .c32 { color: #7fd88f } .c31 { color: #ff7b72 } .c33 { color: #e8c06a } .c1 { font-weight: bold } .c2 { color: #8b93a3 }
</style><pre>` + text.String() + `</pre>`, lines + 1
}

// columns are how many characters a line of the picture has.
const columns = 112

var tags = regexp.MustCompile(`<[^>]*>`)

var codes = regexp.MustCompile(`\x1b\[(\d*)([mK])`)

// visible is what is left of a line of which parts were written over, as HTML.
func visible(line string) string {
	ending := ""
	if strings.HasSuffix(line, "\n") {
		line, ending = strings.TrimSuffix(line, "\n"), "\n"
	}
	if i := strings.LastIndex(line, "\r"); i >= 0 {
		line = line[i+1:]
	}
	open := false
	escaped := codes.ReplaceAllStringFunc(html.EscapeString(line), func(code string) string {
		parts := codes.FindStringSubmatch(code)
		closed := map[bool]string{true: "</span>"}[open]
		switch {
		case parts[2] == "K":
			return ""
		case parts[1] == "" || parts[1] == "0":
			open = false
			return closed
		}
		open = true
		return closed + "<span class=c" + parts[1] + ">"
	})
	if open {
		escaped += "</span>"
	}
	return escaped + ending
}
