// Command vaultd is a real Vault for tests, with its PKI, and AppRole and Kubernetes logins. What it holds lies in a
// directory, so that it can end and begin again as a server does: sealed.
//
// It prints one line of JSON when it listens, and ends when its standard input does.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "the address to listen on")
	flag.StringVar(&o.storage, "storage", "", "the directory that keeps what Vault holds")
	flag.StringVar(&o.certificate, "tls-certificate", "", "the PEM file of the server's certificate; plain HTTP without one")
	flag.StringVar(&o.key, "tls-key", "", "the PEM file of the server's key")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "vaultd:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	s, err := start(context.Background(), o)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(s.greeting); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return s.stop()
}
