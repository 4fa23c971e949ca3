package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// maxFrame is more than a virtual Ethernet carries at once.
const maxFrame = 1 << 16

// listenIn reads all that passes the interfaces of its network namespace, see
// packet(7), and tells on port 8091 how many frames had the first name after
// the prefix, the second, and so on. It hears itself as well, and the API server
// with its store: what it looks for is nowhere in one piece but where it is said.
func listenIn(ctx context.Context, prefix string, names []string) error {
	var words [][]byte
	for _, name := range names {
		words = append(words, []byte(prefix+name))
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(all))
	if err != nil {
		return fmt.Errorf("open a packet socket: %w", err)
	}
	frames := os.NewFile(uintptr(fd), "frames")
	counts := make([]atomic.Int64, len(words))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		stop := context.AfterFunc(ctx, func() { frames.Close() }) // which ends the reading
		defer stop()
		frame := make([]byte, maxFrame)
		for {
			n, err := frames.Read(frame)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read frames: %w", err)
			}
			for i, word := range words {
				if bytes.Contains(frame[:n], word) {
					counts[i].Add(1)
				}
			}
		}
	})
	group.Go(func() error {
		return serve(ctx, ":8091", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := range words {
				fmt.Fprintln(w, i+1, counts[i].Load())
			}
		}))
	})
	return group.Wait()
}
