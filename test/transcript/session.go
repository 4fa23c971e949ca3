package transcript

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Options say where commands run.
type Options struct {
	// Dir is the working directory. Required, and empty but for what commands are to find there.
	Dir string
	// Env is the environment of the commands, PATH included.
	Env []string
	// Given are the variables that blocks of the kind "given" would set.
	Given map[string]string
	// Pods says that the containers of pods run.
	Pods bool
	// Bound is how long a command may take. Default: 5 minutes.
	Bound time.Duration
	// Log is called with each command before it runs. Default: none.
	Log func(step Step, note string)
}

const (
	defaultBound = 5 * time.Minute
	repeatEvery  = time.Second
)

// Session is what commands have in common: the working directory, and what was
// exported, and the mask of new files.
type Session struct {
	o          Options
	state      string // the directory of what goes from one command to the next
	background []int  // process groups
}

// NewSession prepares one. Close it.
func NewSession(o Options) (*Session, error) {
	if o.Bound == 0 {
		o.Bound = defaultBound
	}
	if o.Log == nil {
		o.Log = func(Step, string) {}
	}
	state, err := os.MkdirTemp("", "osm-transcript")
	if err != nil {
		return nil, err
	}
	return &Session{o: o, state: state}, nil
}

// Close ends what commands left running.
func (s *Session) Close() error {
	for _, group := range s.background {
		_ = syscall.Kill(-group, syscall.SIGKILL) // fails if it has ended
	}
	return os.RemoveAll(s.state)
}

// Run runs a group of a document until a command fails.
func (s *Session) Run(ctx context.Context, d Document, group string) error {
	steps := d.Group(group)
	if len(steps) == 0 {
		return fmt.Errorf("%s has no group %q", d.Name, group)
	}
	for _, step := range steps {
		if err := s.Step(ctx, step); err != nil {
			return fmt.Errorf("%s:%d: %w", d.Name, step.Line, err)
		}
	}
	return nil
}

// Step runs one, and tells how it is not as the document says.
func (s *Session) Step(ctx context.Context, step Step) error {
	switch {
	case step.Skip != "":
		s.o.Log(step, "not run: "+step.Skip)
		return nil
	case step.Pods && !s.o.Pods:
		s.o.Log(step, "not run: it needs containers")
		return nil
	case step.Given:
		s.o.Log(step, "given")
		return s.give(step)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Bound)
	defer cancel()
	s.o.Log(step, "")
	for {
		output, err := s.bash(ctx, step.Command)
		if err == nil && step.Shown && !matches(step.Output, output) {
			err = fmt.Errorf("it does not print what is shown:\n%s", step.Output)
		}
		if err == nil {
			return nil
		}
		if !step.Eventually || ctx.Err() != nil {
			return fmt.Errorf("%s: %w\nit printed:\n%s", step.Command, errors.Join(err, ctx.Err()), output)
		}
		select {
		case <-time.After(repeatEvery):
		case <-ctx.Done():
		}
	}
}

var assignment = regexp.MustCompile(`\b([A-Za-z_]+)=`)

// give exports what was given for the variables of the step.
func (s *Session) give(step Step) error {
	for _, variable := range assignment.FindAllStringSubmatch(step.Command, -1) {
		value, ok := s.o.Given[variable[1]]
		if !ok {
			return fmt.Errorf("nothing is given for %s", variable[1])
		}
		quoted := "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
		if output, err := s.bash(context.Background(), "export "+variable[1]+"="+quoted); err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
	}
	return nil
}

// script runs the file $1 in the shell itself, and keeps what it left there.
const script = `set -o pipefail
test ! -f "$1/exports" || . "$1/exports"
. "$1/command"
code=$?
{ export -p; umask -p; printf 'cd %q\n' "$PWD"; } >"$1/exports"
exit $code`

// bash runs a command. Its output goes to a file, so that nothing waits for what
// it leaves running in the background.
func (s *Session) bash(ctx context.Context, command string) (string, error) {
	if err := os.WriteFile(filepath.Join(s.state, "command"), []byte(command+"\n"), 0o600); err != nil {
		return "", err
	}
	output, err := os.CreateTemp(s.state, "output")
	if err != nil {
		return "", err
	}
	defer os.Remove(output.Name())
	defer output.Close()
	cmd := exec.CommandContext(ctx, "bash", "-c", script, "bash", s.state)
	cmd.Dir, cmd.Env = s.o.Dir, s.o.Env
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	if cmd.Process != nil && strings.HasSuffix(strings.TrimSpace(command), "&") {
		s.background = append(s.background, cmd.Process.Pid)
	}
	printed, readErr := os.ReadFile(output.Name())
	return string(bytes.ToValidUTF8(printed, []byte("?"))), errors.Join(err, readErr)
}
