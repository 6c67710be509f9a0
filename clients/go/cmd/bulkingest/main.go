// Bulkingest ingests all JPEG files of a folder as whole images, with the file names as job ids.
//
// Usage: bulkingest FOLDER [URL]
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	embeddings "embeddings/client"
	pb "embeddings/client/gen/embeddings/v1"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: bulkingest FOLDER [URL]")
		os.Exit(2)
	}
	address := "http://localhost:50051"
	if len(os.Args) > 2 {
		address = os.Args[2]
	}
	stored, failed, err := ingest(os.Args[1], address)
	fmt.Printf("%d stored, %d failed\n", stored, failed)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || failed > 0 {
		os.Exit(1)
	}
}

func ingest(folder, address string) (stored, failed int, err error) {
	connection, err := embeddings.Dial(address)
	if err != nil {
		return 0, 0, err
	}
	defer connection.Close()
	files, err := filepath.Glob(filepath.Join(folder, "*.jpg"))
	if err != nil {
		return 0, 0, err
	}

	// A file is read only when the server accepts the next image, so only a few images are in memory at a time.
	next := func(context.Context) (*pb.StreamIngestRequest, error) {
		if len(files) == 0 {
			return nil, io.EOF
		}
		file := files[0]
		files = files[1:]
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(file)
		item := &pb.ImageItem{JobId: strings.TrimSuffix(name, filepath.Ext(name)), Image: &pb.Image{Source: &pb.Image_Encoded{Encoded: data}}}
		return &pb.StreamIngestRequest{ItemId: name, Item: &pb.StreamIngestRequest_Image{Image: item}}, nil
	}
	handle := func(request *pb.StreamIngestRequest, answer *pb.StreamIngestResponse) error {
		if answer.GetError() != nil {
			failed++
			fmt.Fprintf(os.Stderr, "%s: %v\n", request.GetItemId(), embeddings.FromItem(answer.GetError()))
		} else {
			stored++
		}
		return nil
	}
	err = embeddings.StreamIngest(context.Background(), connection, next, handle, embeddings.Options{})
	return stored, failed, err
}
