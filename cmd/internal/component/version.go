package component

// version is set by the linker.
var version = "devel"

// Version returns the release that the program was built from, or the commit.
// It is a valid label value.
func Version() string { return version }
