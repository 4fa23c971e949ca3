package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/osm-edge/osm/cmd/internal/component"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of osm",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(command.OutOrStdout(), "%s (%s, %s/%s)\n",
				component.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
