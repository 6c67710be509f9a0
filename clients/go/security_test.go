package embeddings

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	pb "embeddings/client/gen/embeddings/v1"
)

// persons notes the values of `authorization`.
type persons struct {
	pb.UnimplementedPersonServiceServer
	values []string
}

func (p *persons) note(ctx context.Context) {
	received, _ := metadata.FromIncomingContext(ctx)
	p.values = append(p.values, strings.Join(received.Get("authorization"), ","))
}

func (p *persons) ListPersons(ctx context.Context, _ *pb.ListPersonsRequest) (*pb.ListPersonsResponse, error) {
	p.note(ctx)
	return &pb.ListPersonsResponse{}, nil
}

func (p *persons) ClusterFaces(_ *pb.ClusterFacesRequest, stream pb.PersonService_ClusterFacesServer) error {
	p.note(stream.Context())
	return nil
}

func TestTheKeyIsSentWithEveryKindOfCall(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	service := &persons{}
	host := grpc.NewServer()
	pb.RegisterPersonServiceServer(host, service)
	pb.RegisterIngestServiceServer(host, &server{handler: func(_ int, stream pb.IngestService_StreamIngestServer) error {
		service.note(stream.Context())
		return echo(stream)
	}})
	go func() { _ = host.Serve(listener) }()
	defer host.Stop()

	for _, key := range []string{"emb_secret", ""} {
		service.values = nil
		connection, err := DialWith(listener.Addr().String(), Security{APIKey: key})
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		client := pb.NewPersonServiceClient(connection)
		if _, err := client.ListPersons(context.Background(), &pb.ListPersonsRequest{}); err != nil {
			t.Fatal(err)
		}
		stream, err := client.ClusterFaces(context.Background(), &pb.ClusterFacesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Recv()
		read := 0
		ids, err := run(connection, source(10, 100, &read), Options{})
		if err != nil {
			t.Fatal(err)
		}
		checkAll(t, ids, 10)
		value := ""
		if key != "" {
			value = "Bearer " + key
		}
		if !reflect.DeepEqual(service.values, []string{value, value, value}) {
			t.Fatalf("authorization is %q", service.values)
		}
	}
}

func TestAKeyWithoutTLSIsOnlyForThisMachine(t *testing.T) {
	refused := []string{"http://embeddings.example.com:50051", "10.0.0.1:50051", "http://127.0.0.1.example.com", "http://127.0.0.1@example.com", "http://[::2]:1"}
	for _, address := range refused {
		_, err := DialWith(address, Security{APIKey: "emb_secret"})
		if err == nil || !strings.HasPrefix(err.Error(), "APIKey requires") || strings.Contains(err.Error(), "emb_secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
	accepted := []string{"https://embeddings.example.com", "http://localhost", "http://LOCALHOST:1", "http://127.0.0.1:1", "http://127.1.2.3", "http://[::1]:1"}
	for _, address := range accepted {
		connection, err := DialWith(address, Security{APIKey: "emb_secret"})
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		connection.Close()
	}
	for _, key := range []string{" ", "a b", "a\n", "k\u00e9y"} {
		if _, err := DialWith("https://localhost", Security{APIKey: key}); err == nil || !strings.Contains(err.Error(), "printable ASCII") {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestFilesThatCannotBeUsedAreErrors(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.pem")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := text + ".missing"
	for _, each := range []struct {
		address  string
		security Security
		message  string
	}{
		{"http://localhost", Security{CAFile: text}, "require an address that starts with https://"},
		{"http://localhost", Security{ClientCertificateFile: text}, "require an address that starts with https://"},
		{"https://localhost", Security{CAFile: missing}, "CAFile cannot be read"},
		{"https://localhost", Security{CAFile: text}, "CAFile must contain a certificate"},
		{"https://localhost", Security{ClientKeyFile: text}, "ClientKeyFile requires ClientCertificateFile"},
		{"https://localhost", Security{ClientCertificateFile: text}, "cannot be used"},
		{"https://localhost", Security{ClientCertificateFile: missing, ClientKeyFile: text}, "cannot be used"},
	} {
		if _, err := DialWith(each.address, each.security); err == nil || !strings.Contains(err.Error(), each.message) {
			t.Errorf("%+v: %v", each.security, err)
		}
	}
}
