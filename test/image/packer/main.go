// Command packer writes a static binary, or one each for several platforms, as an OCI image archive:
//
//	go build -C test/image/packer -o "$PWD/bin/pack"
//	bin/pack -o dist/osm-injector.tar -name registry.example/osm/osm-injector:dev bin/osm-injector
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/osm-edge/osm/test/image/packer/image"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "packer:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("packer", flag.ContinueOnError)
	out := flags.String("o", "", "archive to `write`")
	name := flags.String("name", "", "the image's full `reference`, e.g. registry.example/osm/osm-injector:dev")
	path := flags.String("path", "", "where the image has its binary; /<name of the binary> if not given")
	sbom := flags.String("sbom", "", "`file` for a software bill of materials, SPDX in JSON; none if not given")
	labels, beside := map[string]string{}, map[string]string{}
	flags.Func("label", "a `key=value` label of the image, may be given again", into(labels))
	flags.Func("beside", "a further binary of the image, `path=binary`, may be given again", into(beside))
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 || *out == "" {
		return fmt.Errorf("want -o ARCHIVE -name REFERENCE BINARY..., got %q", args)
	}
	o := image.Options{Binary: flags.Arg(0), Others: flags.Args()[1:], Name: *name, Labels: labels, Path: *path, Beside: beside}
	if err := image.PackFile(*out, o); err != nil || *sbom == "" {
		return err
	}
	return image.SBOMFile(*sbom, o)
}

// into reads a flag that may be given again.
func into(pairs map[string]string) func(string) error {
	return func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return errors.New("want key=value")
		}
		pairs[key] = value
		return nil
	}
}
