// Package embeddings talks to the Embeddings service: images and face crops become vectors, and vectors are stored and found again.
//
// The stubs are in gen/embeddings/v1, made by generate.sh; this package adds what streams and errors need.
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

//go:generate sh generate.sh

// Calls that find no server are tried again, which is safe: all but deletions, whose count would be wrong.
const serviceConfig = `{"methodConfig": [
	{"name": [{}], "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.2s", "maxBackoff": "2s", "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}},
	{"name": [{"service": "embeddings.v1.VectorStoreService", "method": "DeleteVectors"}, {"service": "embeddings.v1.VectorStoreService", "method": "DeleteByJobId"}]}]}`

const maxMessage = 64 << 20

// Dial gives a connection to a server without TLS: http://host:port or host:port. It connects at the first call and again whenever the connection breaks.
func Dial(address string, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "http" || parsed.Hostname() == "" {
		return nil, fmt.Errorf("%q is not http://host:port; for TLS, use grpc.Dial with credentials", address)
	}
	port := parsed.Port()
	if port == "" {
		port = "50051"
	}
	common := []grpc.DialOption{
		grpc.WithInsecure(), //nolint:staticcheck // credentials/insecure is not in the oldest version this works with.
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	}
	return grpc.Dial(net.JoinHostPort(parsed.Hostname(), port), append(common, options...)...)
}

// StreamIngest embeds and stores what next gives; an ack in handle means durable. See Exchange.
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

// StreamEmbed embeds what next gives. See Exchange.
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
