package transcript

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var comment = regexp.MustCompile(`^\s*<!-- transcript: (\w+)(?:: ?| ?)(.*?) ?-->$`)

// fence is how a block of code begins and ends.
const fence = "```"

// Read reads a document, which is named as it is below the directory.
func Read(dir, name string) (Document, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return Document{}, err
	}
	return Parse(name, string(text))
}

// Parse reads a document.
func Parse(name, text string) (Document, error) {
	p := parser{document: Document{Name: name, Groups: []Group{{Name: Every}}}}
	for i, line := range strings.Split(text, "\n") {
		if err := p.read(i+1, line); err != nil {
			return Document{}, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	if p.block != nil {
		return Document{}, fmt.Errorf("%s:%d: the block does not end", name, p.block.line)
	}
	if p.pending {
		return Document{}, fmt.Errorf("%s: no block follows the last comment", name)
	}
	return p.document, nil
}

type parser struct {
	document Document
	next     Step // what the comments say of the next block
	output   bool // the next block is what the last command prints
	pending  bool // a comment waits for a block
	block    *block
}

// block is one of code.
type block struct {
	line   int // of its fence
	indent string
	kind   string
	lines  []string
}

func (p *parser) read(number int, line string) error {
	trimmed := strings.TrimLeft(line, " ")
	switch {
	case p.block == nil && strings.HasPrefix(trimmed, fence):
		p.block = &block{line: number, indent: line[:len(line)-len(trimmed)], kind: strings.TrimPrefix(trimmed, fence)}
	case p.block == nil:
		return p.note(line)
	case strings.TrimSpace(line) == fence:
		b := p.block
		p.block = nil
		return p.end(b)
	default:
		p.block.lines = append(p.block.lines, strings.TrimPrefix(line, p.block.indent))
	}
	return nil
}

// note takes what a comment says.
func (p *parser) note(line string) error {
	if !strings.Contains(line, "<!-- transcript") {
		return nil
	}
	said := comment.FindStringSubmatch(line)
	if said == nil {
		return fmt.Errorf("%q is not <!-- transcript: … -->", strings.TrimSpace(line))
	}
	word, rest := said[1], said[2]
	if word == "group" {
		if p.document.has(rest) {
			return fmt.Errorf("there is a group %q already", rest)
		}
		p.document.Groups = append(p.document.Groups, Group{Name: rest})
		return nil
	}
	p.pending = true
	switch {
	case word == "skip" && rest != "":
		p.next.Skip = rest
	case word == "given" && rest == "":
		p.next.Given = true
	case word == "pods" && rest == "":
		p.next.Pods = true
	case (word == "output" || word == "eventually") && rest == "":
		p.output, p.next.Eventually = true, word == "eventually"
	default:
		return fmt.Errorf("transcript: %s %s means nothing", word, rest)
	}
	return nil
}

// end takes a block.
func (p *parser) end(b *block) error {
	next, output, pending := p.next, p.output, p.pending
	p.next, p.output, p.pending = Step{}, false, false
	steps := &p.document.Groups[len(p.document.Groups)-1].Steps
	switch {
	case output:
		if len(*steps) == 0 || b.kind == "console" {
			return fmt.Errorf("the block is no output of a command of its group")
		}
		last := &(*steps)[len(*steps)-1]
		last.Shown, last.Output, last.Eventually = true, strings.Join(b.lines, "\n"), next.Eventually
	case b.kind == "console":
		commands, err := split(b)
		if err != nil {
			return err
		}
		for _, c := range commands {
			step := next
			step.Line, step.Command = c.line, c.text
			*steps = append(*steps, step)
		}
	case pending:
		return fmt.Errorf("the comment is of a block %q, which is not run", b.kind)
	}
	return nil
}
