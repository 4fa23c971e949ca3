package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/hashicorp/vault/api"
)

// develop runs the Vault that is beside this program in its image, until it is
// told to end, with the root token that the environment names. Its storage is
// gone with its container, as that of Vault's own development mode is.
func develop(listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	server := exec.CommandContext(ctx, "/bin/vaultd", "-listen", listen, "-storage", "/tmp/vault")
	server.Stderr = os.Stderr
	input, err := server.StdinPipe() // it ends with that
	if err != nil {
		return err
	}
	output, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	var greeting struct{ Token string }
	if err := json.NewDecoder(output).Decode(&greeting); err != nil {
		return fmt.Errorf("start Vault: %w", err)
	}
	if err := makeRootToken(greeting.Token); err != nil {
		return err
	}
	fmt.Println("Vault listens on", listen)
	<-ctx.Done()
	return input.Close()
}

// makeRootToken makes the one of the environment of the one that Vault made.
func makeRootToken(first string) error {
	client, err := api.NewClient(api.DefaultConfig())
	if err != nil {
		return err
	}
	client.SetToken(first)
	client.SetMaxRetries(10) // it may not listen yet
	_, err = client.Auth().Token().Create(&api.TokenCreateRequest{ID: os.Getenv("VAULT_DEV_ROOT_TOKEN_ID"), Policies: []string{"root"}, NoParent: true})
	if err != nil {
		return fmt.Errorf("make the root token: %w", err)
	}
	return nil
}
