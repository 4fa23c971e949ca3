package main

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/audit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

// lease is the longest that a mount may be tuned to grant: that of a root.
const lease = 87600 * time.Hour

type options struct {
	listen, storage  string
	certificate, key string
}

// greeting is what the one who started the server has to know. Token and key are there once, as the server is initialised.
type greeting struct {
	Address string `json:"address"`
	Token   string `json:"token,omitempty"`
	Key     string `json:"key,omitempty"` // unseals, in hexadecimal
}

type server struct {
	greeting greeting
	core     *vault.Core
	http     *http.Server
}

// start listens last, so that clients find the server as it will be.
func start(ctx context.Context, o options) (*server, error) {
	core, err := newCore(o.storage)
	if err != nil {
		return nil, fmt.Errorf("make the server: %w", err)
	}
	s := &server{core: core}
	if err := s.initialise(ctx); err != nil {
		return nil, fmt.Errorf("initialise: %w", err)
	}
	if err := s.serve(o); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return s, nil
}

func newCore(storage string) (*vault.Core, error) {
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Output: os.Stderr, Level: hclog.Warn})
	physical, err := file.NewFileBackend(map[string]string{"path": storage}, logger)
	if err != nil {
		return nil, err
	}
	plugins := builtin()
	return vault.NewCore(&vault.CoreConfig{
		Physical:           physical,
		Logger:             logger,
		DisableMlock:       true,
		BuiltinRegistry:    plugins,
		LogicalBackends:    plugins[consts.PluginTypeSecrets],
		CredentialBackends: plugins[consts.PluginTypeCredential],
		AuditBackends:      map[string]audit.Factory{},
		MaxLeaseTTL:        lease,
		DefaultLeaseTTL:    lease,
	})
}

// initialise does it once; a server that was before stays sealed.
func (s *server) initialise(ctx context.Context) error {
	done, err := s.core.Initialized(ctx)
	if done || err != nil {
		return err
	}
	result, err := s.core.Initialize(ctx, &vault.InitParams{
		BarrierConfig:  &vault.SealConfig{SecretShares: 1, SecretThreshold: 1, StoredShares: 1},
		RecoveryConfig: &vault.SealConfig{},
	})
	if err != nil {
		return err
	}
	s.greeting.Token, s.greeting.Key = result.RootToken, hex.EncodeToString(result.SecretShares[0])
	_, err = s.core.Unseal(result.SecretShares[0])
	return err
}

func (s *server) serve(o options) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	scheme := "http"
	if o.certificate != "" {
		pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
		if err != nil {
			return err
		}
		scheme, listener = "https", tls.NewListener(listener, &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		})
	}
	s.greeting.Address = scheme + "://" + listener.Addr().String()
	s.http = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: vaulthttp.Handler.Handler(&vault.HandlerProperties{
			Core: s.core, ListenerConfig: &configutil.Listener{},
		}),
	}
	go s.http.Serve(listener) // until it is closed, which is no failure
	return nil
}

func (s *server) stop() error {
	if err := s.http.Close(); err != nil {
		return err
	}
	return s.core.Shutdown()
}
