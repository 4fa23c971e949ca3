package transcript

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// CheckSyntax returns the commands that bash does not read.
func CheckSyntax(ctx context.Context, d Document) error {
	var errs []error
	for _, group := range d.Groups {
		for _, step := range group.Steps {
			bash := exec.CommandContext(ctx, "bash", "-n")
			bash.Stdin = strings.NewReader(step.Command + "\n")
			if output, err := bash.CombinedOutput(); err != nil || len(output) > 0 {
				errs = append(errs, fmt.Errorf("%s:%d: %w: %s", d.Name, step.Line, err, output))
			}
		}
	}
	return errors.Join(errs...)
}
