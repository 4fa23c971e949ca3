package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	width = 1000
	// timeout bounds one picture.
	timeout = time.Minute
)

// draw has a chromium draw the page into a file of docs.
func (p *photographer) draw(ctx context.Context, name, url string, height int) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	file, err := filepath.Abs(filepath.Join(p.docs, name+".png"))
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--user-data-dir="+profile, fmt.Sprintf("--window-size=%d,%d", width, height), "--screenshot="+file, url)
	command.WaitDelay = 5 * time.Second
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("chromium: %w\n%s", err, output)
	}
	fmt.Println(file)
	return nil
}

// page draws the status page, as osm dashboard leads to it.
func (p *photographer) page(ctx context.Context) (err error) {
	command := exec.CommandContext(ctx, filepath.Join(p.bin, "osm"), "dashboard", "--no-browser", "--kubeconfig", p.cluster.Kubeconfig())
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, command.Process.Signal(os.Interrupt), command.Wait()) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return err
	}
	url, _, _ := strings.Cut(line, " ")
	return p.draw(ctx, "dashboard", url, 1250)
}
