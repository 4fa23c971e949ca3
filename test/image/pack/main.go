// Command pack writes a static binary, or one each for several platforms, as an OCI image archive:
//
//	go run ./test/image/pack -o dist/osm-injector.tar -name registry.example/osm/osm-injector:dev bin/osm-injector
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/osm-edge/osm/test/image"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	out := flags.String("o", "", "archive to `write`")
	name := flags.String("name", "", "the image's full `reference`, e.g. registry.example/osm/osm-injector:dev")
	path := flags.String("path", "", "where the image has its binary; /<name of the binary> if not given")
	sbom := flags.String("sbom", "", "`file` for a software bill of materials, SPDX in JSON; none if not given")
	labels := map[string]string{}
	flags.Func("label", "a `key=value` label of the image, may be given again", func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return errors.New("want key=value")
		}
		labels[key] = value
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 || *out == "" {
		return fmt.Errorf("want -o ARCHIVE -name REFERENCE BINARY..., got %q", args)
	}
	o := image.Options{Binary: flags.Arg(0), Others: flags.Args()[1:], Name: *name, Labels: labels, Path: *path}
	if err := image.PackFile(*out, o); err != nil || *sbom == "" {
		return err
	}
	return image.SBOMFile(*sbom, o)
}
