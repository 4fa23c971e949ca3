// Command app is what the pods of the full node's test run:
//
//	app serve             answer on :8080 with the pod's name
//	app get URL...        print the body of each
//	app cat FILE...       print each
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func run(verb string, args []string) error {
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

func get(url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}
