package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	embeddings "embeddings/client"
	pb "embeddings/client/gen/embeddings/v1"
)

const secureItems = 20

// secure runs the step `secure` described in clients/README.md.
type secure struct{ address, folder string }

func (s secure) run(ctx context.Context) error {
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"key", s.key}, {"no key", s.noKey}, {"wrong key", s.wrongKey}, {"read key", s.readKey},
		{"certificate", s.certificate}, {"no CA", s.noCA}, {"clear text", s.clearText},
	}
	for _, step := range steps {
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func (s secure) key(ctx context.Context) error {
	return s.with(embeddings.Security{CAFile: s.file("ca.pem"), APIKey: s.read("key.txt")}, func(connection *grpc.ClientConn) error {
		if err := listModels(ctx, connection); err != nil {
			return err
		}
		outcomes, err := ingestCrops(ctx, connection, "interop_go_secure")
		if err := expect(err, outcomes == "ack", "outcomes are %s", outcomes); err != nil {
			return err
		}
		// Collections are checked for each item.
		outcomes, err = ingestCrops(ctx, connection, "other_go")
		return expect(err, outcomes == "PermissionDenied COLLECTION_DENIED", "another collection gives %s", outcomes)
	})
}

func (s secure) noKey(ctx context.Context) error {
	return s.with(embeddings.Security{CAFile: s.file("ca.pem")}, func(connection *grpc.ClientConn) error {
		if err := fails(listModels(ctx, connection), codes.Unauthenticated, "KEY_MISSING"); err != nil {
			return err
		}
		_, err := ingestCrops(ctx, connection, "interop_go_secure")
		return fails(err, codes.Unauthenticated, "KEY_MISSING")
	})
}

func (s secure) wrongKey(ctx context.Context) error {
	return s.with(embeddings.Security{CAFile: s.file("ca.pem"), APIKey: s.read("wrong-key.txt")}, func(connection *grpc.ClientConn) error {
		return fails(listModels(ctx, connection), codes.Unauthenticated, "KEY_INVALID")
	})
}

func (s secure) readKey(ctx context.Context) error {
	return s.with(embeddings.Security{CAFile: s.file("ca.pem"), APIKey: s.read("read-key.txt")}, func(connection *grpc.ClientConn) error {
		if err := listModels(ctx, connection); err != nil {
			return err
		}
		_, err := ingestCrops(ctx, connection, "interop_go_secure")
		return fails(err, codes.PermissionDenied, "ACCESS_DENIED")
	})
}

func (s secure) certificate(ctx context.Context) error {
	security := embeddings.Security{
		CAFile: s.file("ca.pem"), ClientCertificateFile: s.file("client.pem"), ClientKeyFile: s.file("client.key"),
	}
	return s.with(security, func(connection *grpc.ClientConn) error {
		if err := listModels(ctx, connection); err != nil {
			return err
		}
		outcomes, err := ingestCrops(ctx, connection, "interop_go_secure")
		return expect(err, outcomes == "ack", "outcomes are %s", outcomes)
	})
}

func (s secure) noCA(ctx context.Context) error {
	return s.with(embeddings.Security{APIKey: s.read("key.txt")}, func(connection *grpc.ClientConn) error {
		err := listModels(ctx, connection)
		if failed := fails(err, codes.Unavailable, ""); failed != nil {
			return failed
		}
		return expect(nil, strings.Contains(err.Error(), "certificate"), "the message is %q", err)
	})
}

func (s secure) clearText(context.Context) error {
	connection, err := embeddings.DialWith("http://embeddings.example.com:50051", embeddings.Security{APIKey: "secret-key"})
	if err == nil {
		connection.Close()
		return errors.New("no error")
	}
	return expect(nil, strings.HasPrefix(err.Error(), "APIKey requires") && !strings.Contains(err.Error(), "secret-key"), "the message is %q", err)
}

func (s secure) with(security embeddings.Security, use func(*grpc.ClientConn) error) error {
	connection, err := embeddings.DialWith("https://"+s.address, security)
	if err != nil {
		return err
	}
	defer connection.Close()
	return use(connection)
}

func (s secure) file(name string) string { return filepath.Join(s.folder, name) }

func (s secure) read(name string) string {
	text, err := os.ReadFile(s.file(name))
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(text))
}

func listModels(ctx context.Context, connection *grpc.ClientConn) error {
	answer, err := pb.NewModelServiceClient(connection).ListModels(ctx, &pb.ListModelsRequest{})
	return expect(err, len(answer.GetModels()) > 0, "no models")
}

// ingestCrops ingests 20 crops and returns their outcomes without repetitions.
func ingestCrops(ctx context.Context, connection *grpc.ClientConn, collection string) (string, error) {
	sent, answered := 0, 0
	next := func(context.Context) (*pb.StreamIngestRequest, error) {
		if sent == secureItems {
			return nil, io.EOF
		}
		face := &pb.FaceItem{JobId: "secure-go", FaceIndex: int32(sent), Face: &pb.FaceCrop{Image: pixels(crop(sent))}}
		sent++
		return &pb.StreamIngestRequest{ItemId: fmt.Sprint(sent), Collection: collection, Item: &pb.StreamIngestRequest_Face{Face: face}}, nil
	}
	var outcomes []string
	handle := func(_ *pb.StreamIngestRequest, answer *pb.StreamIngestResponse) error {
		answered++
		outcome := "ack"
		if answer.GetError() != nil {
			failed := embeddings.FromItem(answer.GetError())
			outcome = fmt.Sprintf("%v %s", failed.Code, failed.Reason)
		}
		if len(outcomes) == 0 || outcomes[len(outcomes)-1] != outcome {
			outcomes = append(outcomes, outcome)
		}
		return nil
	}
	err := embeddings.StreamIngest(ctx, connection, next, handle, embeddings.Options{})
	return strings.Join(outcomes, ", "), expect(err, answered == secureItems, "%d answers", answered)
}

func fails(err error, code codes.Code, reason string) error {
	var got *embeddings.Error
	return expect(nil, errors.As(err, &got) && got.Code == code && got.Reason == reason, "got %v instead of %v %s", err, code, reason)
}
