// Package bugreport packs the state of a mesh for support:
// checks, objects, Events and logs. No key, no token and no whole Pod is in it:
// of Secrets it takes names and certificates alone, and whatever looks like a
// key or a token is cut out of everything else.
package bugreport

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"path"
	"time"
)

// archive is a tar.gz of one folder.
type archive struct {
	folder string
	time   time.Time
	zip    *gzip.Writer
	tar    *tar.Writer
}

func newArchive(out io.Writer, folder string, now time.Time) *archive {
	zip := gzip.NewWriter(out)
	return &archive{folder: folder, time: now, zip: zip, tar: tar.NewWriter(zip)}
}

// add adds a file, without what looks like a secret.
func (a *archive) add(name string, content []byte) error {
	content = redact(content)
	header := &tar.Header{Name: path.Join(a.folder, name), Mode: 0o644, Size: int64(len(content)), ModTime: a.time, Format: tar.FormatPAX}
	if err := a.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err := a.tar.Write(content)
	return err
}

func (a *archive) close() error {
	if err := a.tar.Close(); err != nil {
		return err
	}
	return a.zip.Close()
}
