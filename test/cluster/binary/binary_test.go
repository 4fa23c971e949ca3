package binary

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestABuildThatIsThereIsUsed(t *testing.T) {
	var progress strings.Builder
	first, err := Build(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Build(t.Context(), &progress)
	if err != nil {
		t.Fatal(err)
	}
	if first != second || progress.String() != "" {
		t.Errorf("built %s, then %s, telling %q", first, second, &progress)
	}
	for _, name := range components() {
		if _, err := os.Stat(filepath.Join(first, name)); err != nil {
			t.Error(err)
		}
	}
}
