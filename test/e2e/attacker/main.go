// Command attacker is what a root pod with the default capabilities tries
// against the mesh around it. What it finds is what it prints:
//
//	attacker segment FLAGS TARGET    sends one segment with these flags (such as A or SA), then connects from
//	                                 the same port, asks for a page, and prints the answer
//	attacker send TARGET BASE64      connects, sends the bytes, and prints the answer
//	attacker flood URL CA SECONDS    posts AdmissionReviews of millions of empty containers, from 4 connections, 20 at once
//	attacker review URL CA NUMBER    posts that many AdmissionReviews of pods that a Deployment is said to own
//	attacker hold NUMBER TARGET SECONDS
//	                                 opens connections and says nothing on them, then prints how many are open
//	attacker wait                    does nothing
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const (
	// timeout bounds one connection.
	timeout = 10 * time.Second
	// maxAnswer is what is printed of an answer.
	maxAnswer = 4096
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "attacker:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("nothing to do")
	}
	switch command, args := args[0], args[1:]; {
	case command == "wait":
		<-ctx.Done()
		return nil
	case command == "segment" && len(args) == 2:
		return segmentFirst(ctx, args[0], args[1])
	case command == "send" && len(args) == 2:
		content, err := base64.StdEncoding.DecodeString(args[1])
		if err != nil {
			return err
		}
		return send(ctx, args[0], content)
	case command == "flood" && len(args) == 3:
		seconds, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return flood(ctx, args[0], args[1], time.Duration(seconds)*time.Second)
	case command == "review" && len(args) == 3:
		number, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return review(ctx, args[0], args[1], number)
	case command == "hold" && len(args) == 3:
		number, err := strconv.Atoi(args[0])
		seconds, err2 := strconv.Atoi(args[2])
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		return hold(ctx, number, args[1], time.Duration(seconds)*time.Second)
	}
	return fmt.Errorf("cannot do %q", args)
}

// send prints what answers at the target, and an error where nothing does.
func send(ctx context.Context, target string, content []byte) error {
	conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", target)
	if err != nil {
		return err
	}
	defer conn.Close()
	return exchange(conn, content)
}

func exchange(conn net.Conn, content []byte) error {
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := conn.Write(content); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, maxAnswer))
	if len(answer) == 0 {
		return fmt.Errorf("no answer: %w", errors.Join(err, io.EOF))
	}
	fmt.Printf("%s\n", answer)
	return nil
}

// hold opens connections one by one. Those that the other end has closed when the
// time is over do not count.
func hold(ctx context.Context, number int, target string, d time.Duration) error {
	var open []net.Conn
	for range number {
		conn, err := (&net.Dialer{Timeout: timeout}).DialContext(ctx, "tcp", target)
		if err != nil {
			break
		}
		defer conn.Close()
		open = append(open, conn)
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	held := 0
	for _, conn := range open {
		if err := conn.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			continue
		}
		var late net.Error
		if _, err := conn.Read(make([]byte, 1)); errors.As(err, &late) && late.Timeout() {
			held++
		}
	}
	fmt.Printf("%d connected, %d held\n", len(open), held)
	return nil
}
