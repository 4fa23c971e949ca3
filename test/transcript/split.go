package transcript

import (
	"fmt"
	"regexp"
	"strings"
)

// command is one that bash takes as a whole.
type command struct {
	line int
	text string
}

var heredoc = regexp.MustCompile(`<<-?\s*['"]?(\w+)['"]?`)

// split separates the commands of a block. A command goes on in the next line
// after a backslash, a pipe or an operator, and until the end of its heredoc.
func split(b *block) ([]command, error) {
	var commands []command
	var lines []string
	ending := "" // of an open heredoc
	for i, line := range b.lines {
		if len(lines) == 0 {
			if bare := strings.TrimSpace(line); bare == "" || strings.HasPrefix(bare, "#") {
				continue
			}
			commands = append(commands, command{line: b.line + i + 1})
		}
		lines = append(lines, line)
		if ending != "" {
			if strings.TrimSpace(line) != ending {
				continue
			}
			ending = ""
		} else if open := heredoc.FindStringSubmatch(line); open != nil {
			ending = open[1]
			continue
		} else if continues(line) {
			continue
		}
		commands[len(commands)-1].text = strings.Join(lines, "\n")
		lines = nil
	}
	if len(lines) > 0 {
		return nil, fmt.Errorf("the command of line %d does not end", commands[len(commands)-1].line)
	}
	return commands, nil
}

func continues(line string) bool {
	line = strings.TrimRight(line, " ")
	for _, end := range []string{`\`, "|", "&&"} {
		if strings.HasSuffix(line, end) {
			return true
		}
	}
	return false
}
