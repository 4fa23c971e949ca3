// Command app is what the pods of the full node's test run:
//
//	app serve             answer on :8080 with the pod's name
//	app get URL...        print the body of each, as soon as it can be had
//	app cat FILE...       print each
//	app await FILE TEXT   return when the file holds the text
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("no verb")
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "serve":
		name, err := os.Hostname()
		if err != nil {
			return err
		}
		return http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, name)
		}))
	case "get":
		return each(args, get)
	case "cat":
		return each(args, os.ReadFile)
	case "await":
		for {
			if content, err := os.ReadFile(args[0]); err != nil || string(content) == args[1] {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return fmt.Errorf("no verb %q", verb)
}

func each(args []string, read func(string) ([]byte, error)) error {
	for _, arg := range args {
		content, err := read(arg)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", content)
	}
	return nil
}

// get asks again until it gets an answer: a Service's rules follow its endpoints after a second.
func get(url string) ([]byte, error) {
	client := http.Client{Timeout: 2 * time.Second}
	deadline := time.Now().Add(30 * time.Second)
	for {
		response, err := client.Get(url)
		if err == nil {
			defer response.Body.Close()
			return io.ReadAll(response.Body)
		}
		if time.Now().After(deadline) {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}
