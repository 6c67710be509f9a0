// Package embeddings is a client of the Embeddings service, which embeds images and the faces of photos, stores their
// vectors, and searches them.
//
// go generate generates the stubs in gen/embeddings/v1. This package adds streams and errors.
package embeddings

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"

	"google.golang.org/grpc"

	pb "embeddings/client/gen/embeddings/v1"
)

//go:generate go run github.com/bufbuild/buf/cmd/buf@v1.74.0 generate

// Calls that cannot reach the server are retried, except deletions and changes of persons: their counts would be wrong, and
// the id of a change would be lost.
const serviceConfig = `{"methodConfig": [
	{"name": [{}], "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "2s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}},
	{"name": [
		{"service": "embeddings.v1.VectorStoreService", "method": "DeleteVectors"}, {"service": "embeddings.v1.VectorStoreService", "method": "DeleteByJobId"},
		{"service": "embeddings.v1.VectorStoreService", "method": "DeleteCollection"}, {"service": "embeddings.v1.PersonService", "method": "NamePerson"},
		{"service": "embeddings.v1.PersonService", "method": "MergePersons"}, {"service": "embeddings.v1.PersonService", "method": "SplitPerson"},
		{"service": "embeddings.v1.PersonService", "method": "UndoPersonChange"}, {"service": "embeddings.v1.PersonService", "method": "ClusterFaces"}]}]}`

const maxMessage = 64 << 20

// Dial creates a connection to http://host:port, https://host:port (TLS with the system's authorities), or host:port. It
// connects on the first call and reconnects if the connection breaks.
func Dial(address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	return DialWith(address, Security{}, options...)
}

// DialWith creates a connection like Dial, with your own certificate authorities, a client certificate, or an API key. The
// files are read once. Nothing is sent if security is invalid, for example a key for another machine without TLS.
func DialWith(address string, security Security, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	parsed, err := url.Parse(address)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Hostname() == "" {
		return nil, fmt.Errorf("address must be of the form http://host:port, https://host:port, or host:port; got %q", address)
	}
	secure := parsed.Scheme == "https"
	port := parsed.Port()
	if port == "" {
		port = defaultPort(secure)
	}
	common, err := security.dialOptions(parsed.Hostname(), secure)
	if err != nil {
		return nil, err
	}
	common = append(
		common,
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	)
	return connect(net.JoinHostPort(parsed.Hostname(), port), append(common, options...))
}

func defaultPort(secure bool) string {
	if secure {
		return "443"
	}
	return "50051"
}

// StreamIngest embeds and stores the items that next returns. An ack means that the point is durable. See Exchange.
func StreamIngest(
	ctx context.Context,
	connection grpc.ClientConnInterface,
	next func(context.Context) (*pb.StreamIngestRequest, error),
	handle func(*pb.StreamIngestRequest, *pb.StreamIngestResponse) error,
	options Options,
) error {
	client := pb.NewIngestServiceClient(connection)
	open := func(ctx context.Context) (Stream[*pb.StreamIngestRequest, *pb.StreamIngestResponse], error) {
		return client.StreamIngest(ctx)
	}
	return Exchange(ctx, open, next, handle, options)
}

// StreamEmbed embeds the items that next returns. See Exchange.
func StreamEmbed(
	ctx context.Context,
	connection grpc.ClientConnInterface,
	next func(context.Context) (*pb.StreamEmbedRequest, error),
	handle func(*pb.StreamEmbedRequest, *pb.StreamEmbedResponse) error,
	options Options,
) error {
	client := pb.NewEmbeddingServiceClient(connection)
	open := func(ctx context.Context) (Stream[*pb.StreamEmbedRequest, *pb.StreamEmbedResponse], error) {
		return client.StreamEmbed(ctx)
	}
	return Exchange(ctx, open, next, handle, options)
}

// StreamUpsertVectors stores the vectors that next returns. An ack means that the point is durable. See Exchange.
func StreamUpsertVectors(
	ctx context.Context,
	connection grpc.ClientConnInterface,
	next func(context.Context) (*pb.StreamUpsertVectorsRequest, error),
	handle func(*pb.StreamUpsertVectorsRequest, *pb.StreamUpsertVectorsResponse) error,
	options Options,
) error {
	client := pb.NewVectorStoreServiceClient(connection)
	open := func(ctx context.Context) (Stream[*pb.StreamUpsertVectorsRequest, *pb.StreamUpsertVectorsResponse], error) {
		return client.StreamUpsertVectors(ctx)
	}
	return Exchange(ctx, open, next, handle, options)
}
