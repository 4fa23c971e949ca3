package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 10 * time.Second
)

// process is a vaultd that runs. It ends when its standard input does, so it cannot outlive its parent.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

// greeting is what vaultd prints.
type greeting struct{ Address, Token, Key string }

// Resume starts it again where it was, with what it held. As every Vault that starts it is sealed.
func (s *Server) Resume(ctx context.Context) error {
	address, err := url.Parse(s.Address)
	if err != nil {
		return err
	}
	_, err = s.run(ctx, address.Host)
	return err
}

// Stop ends it; what it held stays. It does nothing when it does not run.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	p := s.process
	s.process = nil
	return p.stop()
}

// run starts vaultd and waits until it listens.
func (s *Server) run(ctx context.Context, listen string) (greeting, error) {
	cmd := exec.Command(s.binary, s.arguments(listen)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return greeting{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return greeting{}, err
	}
	if err := cmd.Start(); err != nil {
		return greeting{}, fmt.Errorf("start Vault: %w", err)
	}
	p := &process{cmd, stdin}
	g, err := p.greet(ctx, stdout)
	if err != nil {
		return greeting{}, errors.Join(fmt.Errorf("start Vault: %w", err), p.stop())
	}
	s.process = p
	return g, nil
}

func (s *Server) arguments(listen string) []string {
	arguments := []string{"-listen", listen, "-storage", filepath.Join(s.options.Dir, "storage")}
	if s.options.TLS {
		arguments = append(arguments,
			"-tls-certificate", filepath.Join(s.options.Dir, certificateFile), "-tls-key", filepath.Join(s.options.Dir, keyFile))
	}
	return arguments
}

func (p *process) greet(ctx context.Context, stdout io.ReadCloser) (g greeting, err error) {
	bounded, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	giveUp := context.AfterFunc(bounded, func() { stdout.Close() })
	defer giveUp()
	return g, json.NewDecoder(stdout).Decode(&g)
}

func (p *process) stop() error {
	late := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	return errors.Join(p.stdin.Close(), p.cmd.Wait())
}
