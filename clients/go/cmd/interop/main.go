// Interop runs the interop scenario described in clients/README.md.
//
// Usage: interop HOST:PORT JPEG VECTORS.json, or interop secure HOST:PORT FOLDER
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	embeddings "embeddings/client"
)

func main() {
	if os.Args[1] == "secure" {
		os.Exit(runSecure(os.Args[2], os.Args[3]))
	}
	jpeg, err := os.ReadFile(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	connection, err := embeddings.Dial(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer connection.Close()

	s := &scenario{connection: connection, jpeg: jpeg, folder: filepath.Dir(os.Args[2]), vectors: map[string][]float32{}}
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"health", s.health}, {"models", s.models}, {"embed", s.embed}, {"stream", s.stream}, {"ingest", s.ingest}, {"batches", s.batches},
		{"search", s.search}, {"media", s.media}, {"delete", s.delete}, {"count", s.count}, {"faces", s.faces}, {"photo", s.photo},
		{"persons", s.persons}, {"errors", s.errors},
	}
	code := 0
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		if err := step.run(ctx); err != nil {
			fmt.Printf("FAILED %s %s\n", step.name, strings.ReplaceAll(err.Error(), "\n", " "))
			code = 1
		} else {
			fmt.Printf("ok %s\n", step.name)
		}
		cancel()
	}
	text, err := json.Marshal(s.vectors)
	if err == nil {
		err = os.WriteFile(os.Args[3], text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runSecure(address, folder string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := (secure{address, folder}).run(ctx); err != nil {
		fmt.Printf("FAILED secure %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
		return 1
	}
	fmt.Println("ok secure")
	return 0
}
