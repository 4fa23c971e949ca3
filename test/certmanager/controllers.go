// Package certmanager runs the real cert-manager for tests: the custom resource definitions and the controllers of its
// own module, on any API server. It knows nothing of the mesh.
//
// Its webhook is not there, so nothing validates what is created beyond the definitions' schemas.
package certmanager

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/osm-edge/osm/test/certmanager/binary"
)

// startTimeout bounds how long the controllers may take to watch.
const startTimeout = time.Minute

// Options say how the controllers run.
type Options struct {
	// Kubeconfig is the path of a file that leads to the API server, as an administrator. Required.
	Kubeconfig string
	// NoApproval leaves out the controller that approves every request, as an operator does who approves by a policy.
	NoApproval bool
	// Log takes what the build tells and the controllers log. Default: none.
	Log io.Writer
}

// Controllers are cert-manager's, in a process of their own, which ends with this one.
type Controllers struct {
	input io.Closer
	ended func() error
}

// Start starts the controllers and returns when they watch; see Install for what they need. The end of ctx ends the
// start and no more. On first use it takes the minutes of binary.Build.
func Start(ctx context.Context, o Options) (*Controllers, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	path, err := binary.Build(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "-kubeconfig", o.Kubeconfig, fmt.Sprintf("-approve=%t", !o.NoApproval))
	cmd.Stderr = o.Log
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting cert-manager: %w", err)
	}
	c := &Controllers{input, sync.OnceValue(cmd.Wait)}
	if err := awaitReady(ctx, output); err != nil {
		_ = cmd.Process.Kill() // fails only if it has ended
		return nil, fmt.Errorf("starting cert-manager: %w", errors.Join(err, c.ended()))
	}
	return c, nil
}

// awaitReady returns when the line that says so has been read.
func awaitReady(ctx context.Context, output io.Reader) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
	defer cancel()
	line := make(chan error, 1)
	go func() {
		text, err := bufio.NewReader(output).ReadString('\n')
		if err == nil && strings.TrimSpace(text) != "ready" {
			err = fmt.Errorf("it said %q", text)
		}
		line <- err
	}()
	select {
	case err := <-line:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stop ends the controllers, as an outage of cert-manager does. It may be called again.
func (c *Controllers) Stop() error {
	_ = c.input.Close() // fails only if it is closed
	return c.ended()
}
