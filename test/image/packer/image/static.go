package image

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// readStatic reads an executable that runs in an otherwise empty file system, and says which platform it is for. A
// program interpreter (ELF, PT_INTERP) is what a dynamically linked binary has and a static one, also a static PIE, has not.
func readStatic(path string) ([]byte, v1.Platform, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, v1.Platform{}, fmt.Errorf("read binary: %w", err)
	}
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, v1.Platform{}, fmt.Errorf("binary %s: not a Linux executable: %w", path, err)
	}
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP {
			return nil, v1.Platform{}, fmt.Errorf("binary %s is dynamically linked and can't run in an image of its own: build it with CGO_ENABLED=0", path)
		}
	}
	arch, ok := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[file.Machine]
	if !ok || file.Type != elf.ET_EXEC && file.Type != elf.ET_DYN {
		return nil, v1.Platform{}, fmt.Errorf("binary %s: %s for %s, want an executable for amd64 or arm64", path, file.Type, file.Machine)
	}
	return content, v1.Platform{OS: "linux", Architecture: arch}, nil
}
