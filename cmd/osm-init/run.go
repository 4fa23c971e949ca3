package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/injector/interception/nft"
)

func run(logger *slog.Logger, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d arguments, want one: the interception config as JSON", len(args))
	}
	config, err := interception.Parse([]byte(args[0]))
	if err != nil {
		return err
	}
	ipv6, err := nft.Apply(config)
	if err != nil {
		return fix(err)
	}
	if !ipv6 {
		logger.Warn("the kernel has no IPv6: only IPv4 is led to the sidecar")
	}
	logger.Info("connections are led to the sidecar", "inbound", config.Inbound.Port, "outbound", config.Outbound.Port, "ipv6", ipv6)
	return nil
}

// fix adds what an operator can do about it.
func fix(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; the container osm-init needs the capability NET_ADMIN, which Pod Security baseline and restricted refuse: "+
			"label the namespace pod-security.kubernetes.io/enforce=privileged, "+
			"or, where the node confines containers further, set osm.enablePrivilegedInitContainer=true, "+
			"or do without interception by osm.injector.interception=none", err)
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("%w; load the modules on the node, or do without interception by osm.injector.interception=none", err)
	}
	return err
}
