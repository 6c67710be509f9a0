package embeddings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "embeddings/client/gen/embeddings/v1"
)

// server is a server with scripted responses.
type server struct {
	pb.UnimplementedIngestServiceServer
	handler func(number int, stream pb.IngestService_StreamIngestServer) error
	calls   int
}

func (s *server) StreamIngest(stream pb.IngestService_StreamIngestServer) error {
	s.calls++
	return s.handler(s.calls-1, stream)
}

func ack(id string) *pb.StreamIngestResponse {
	return &pb.StreamIngestResponse{ItemId: id, Result: &pb.StreamIngestResponse_Ack{Ack: &pb.IngestAck{PointId: id}}}
}

func echo(stream pb.IngestService_StreamIngestServer) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(ack(request.GetItemId())); err != nil {
			return err
		}
	}
}

func against(t *testing.T, handler func(int, pb.IngestService_StreamIngestServer) error) *grpc.ClientConn {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := grpc.NewServer()
	pb.RegisterIngestServiceServer(host, &server{handler: handler})
	go func() { _ = host.Serve(listener) }()
	connection, err := Dial("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		connection.Close()
		host.Stop()
	})
	return connection
}

func source(count, size int, read *int) func(context.Context) (*pb.StreamIngestRequest, error) {
	return func(context.Context) (*pb.StreamIngestRequest, error) {
		if *read == count {
			return nil, io.EOF
		}
		*read++
		item := &pb.ImageItem{JobId: "a", Image: &pb.Image{Source: &pb.Image_Encoded{Encoded: make([]byte, size)}}}
		return &pb.StreamIngestRequest{ItemId: fmt.Sprint(*read - 1), Item: &pb.StreamIngestRequest_Image{Image: item}}, nil
	}
}

func run(connection *grpc.ClientConn, next func(context.Context) (*pb.StreamIngestRequest, error), options Options) (ids []string, err error) {
	handle := func(_ *pb.StreamIngestRequest, answer *pb.StreamIngestResponse) error {
		ids = append(ids, answer.GetItemId())
		return nil
	}
	err = StreamIngest(context.Background(), connection, next, handle, options)
	return ids, err
}

func checkAll(t *testing.T, ids []string, count int) {
	t.Helper()
	if len(ids) != count {
		t.Fatalf("%d answers", len(ids))
	}
	for at, id := range ids {
		if id != fmt.Sprint(at) {
			t.Fatalf("answer %d is %s", at, id)
		}
	}
}

func checkCode(t *testing.T, err error, code codes.Code) {
	t.Helper()
	var got *Error
	if !errors.As(err, &got) || got.Code != code {
		t.Fatalf("got %v", err)
	}
}

func TestResponsesArriveInOrder(t *testing.T) {
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error { return echo(stream) })
	read := 0
	ids, err := run(connection, source(1000, 100, &read), Options{MaxInFlight: 7})
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, ids, 1000)
}

func TestABrokenConnectionNeitherLosesNorDuplicatesItems(t *testing.T) {
	connection := against(t, func(number int, stream pb.IngestService_StreamIngestServer) error {
		for at := 0; number < 3 && at < 10; at++ {
			request, err := stream.Recv()
			if err != nil {
				return err
			}
			_ = stream.Send(ack(request.GetItemId()))
		}
		if number < 3 {
			return status.Error(codes.Unavailable, "away")
		}
		return echo(stream)
	})
	read := 0
	ids, err := run(connection, source(60, 100, &read), Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, ids, 60)
}

func TestAStreamThatTheServerDidNotEndItselfIsResumed(t *testing.T) {
	for _, code := range []codes.Code{codes.Unavailable, codes.Canceled, codes.Internal, codes.Unknown} {
		connection := against(t, func(number int, stream pb.IngestService_StreamIngestServer) error {
			if number < 2 {
				request, err := stream.Recv()
				if err != nil {
					return err
				}
				_ = stream.Send(ack(request.GetItemId()))
				return status.Error(code, "time limit")
			}
			return echo(stream)
		})
		read := 0
		ids, err := run(connection, source(20, 100, &read), Options{})
		if err != nil {
			t.Fatal(code, err)
		}
		checkAll(t, ids, 20)
	}
}

func TestAnEndThatTheServerStatesItselfIsFinal(t *testing.T) {
	calls := 0
	connection := against(t, func(int, pb.IngestService_StreamIngestServer) error {
		calls++
		stated, err := status.New(codes.Internal, "bug").WithDetails(&errdetails.ErrorInfo{Reason: "INTERNAL"})
		if err != nil {
			return err
		}
		return stated.Err()
	})
	read := 0
	_, err := run(connection, source(3, 10, &read), Options{})
	checkCode(t, err, codes.Internal)
	if calls != 1 {
		t.Fatalf("%d calls", calls)
	}
}

func TestAnIdleSourceDoesNotUseUpAttempts(t *testing.T) {
	calls := 0
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		calls++
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		_ = stream.Send(ack(request.GetItemId()))
		return status.Error(codes.Canceled, "time limit")
	})
	read := 0
	items := source(12, 10, &read)
	answered := make(chan struct{}, 12)
	next := func(ctx context.Context) (*pb.StreamIngestRequest, error) {
		if read > 0 && read < 12 {
			// The next item exists only after the answer to the one before it.
			select {
			case <-answered:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return items(ctx)
	}
	var ids []string
	handle := func(_ *pb.StreamIngestRequest, answer *pb.StreamIngestResponse) error {
		ids = append(ids, answer.GetItemId())
		answered <- struct{}{}
		return nil
	}
	if err := StreamIngest(context.Background(), connection, next, handle, Options{Attempts: 2}); err != nil {
		t.Fatal(err)
	}
	checkAll(t, ids, 12)
	if calls < 6 {
		t.Fatalf("%d calls", calls)
	}
}

func TestACanceledCallIsNotResumed(t *testing.T) {
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error { return echo(stream) })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	next := func(ctx context.Context) (*pb.StreamIngestRequest, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	read := 0
	items := source(1, 10, &read)
	handle := func(*pb.StreamIngestRequest, *pb.StreamIngestResponse) error {
		cancel()
		return nil
	}
	err := StreamIngest(ctx, connection, func(ctx context.Context) (*pb.StreamIngestRequest, error) {
		if read == 0 {
			return items(ctx)
		}
		return next(ctx)
	}, handle, Options{})
	checkCode(t, err, codes.Canceled)
}

func TestAClosedConnectionEndsItsStreams(t *testing.T) {
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error { return echo(stream) })
	read := 0
	items := source(2, 10, &read)
	next := func(ctx context.Context) (*pb.StreamIngestRequest, error) {
		if read == 1 {
			connection.Close()
		}
		return items(ctx)
	}
	_, err := run(connection, next, Options{})
	checkCode(t, err, codes.Canceled)
}

func TestASilentServerTimesOut(t *testing.T) {
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		<-stream.Context().Done()
		return nil
	})
	read := 0
	_, err := run(connection, source(3, 10, &read), Options{Timeout: 300 * time.Millisecond})
	checkCode(t, err, codes.DeadlineExceeded)
}

func TestNoServerIsAnError(t *testing.T) {
	connection, err := Dial("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	read := 0
	_, err = run(connection, source(3, 10, &read), Options{Attempts: 2})
	checkCode(t, err, codes.Unavailable)
}

func TestResponsesOutOfOrderOrMissingAreErrors(t *testing.T) {
	swapped := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error { return stream.Send(ack("9")) })
	read := 0
	_, err := run(swapped, source(2, 10, &read), Options{})
	checkCode(t, err, codes.Internal)
	short := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error { return nil })
	read = 0
	_, err = run(short, source(2, 10, &read), Options{})
	checkCode(t, err, codes.Internal)
}

func TestErrorsOfTheSourceAreReturnedUnchanged(t *testing.T) {
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error { return echo(stream) })
	lost := errors.New("lost")
	_, err := run(connection, func(context.Context) (*pb.StreamIngestRequest, error) { return nil, lost }, Options{})
	if err != lost {
		t.Fatalf("got %v", err)
	}
}

func TestASourceIsReadOnlyAsFastAsTheServerReads(t *testing.T) {
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		time.Sleep(500 * time.Millisecond)
		return echo(stream)
	})
	var asked atomic.Int64
	read, atFirst := 0, int64(-1)
	items := source(2000, 100_000, &read)
	next := func(ctx context.Context) (*pb.StreamIngestRequest, error) {
		asked.Add(1)
		return items(ctx)
	}
	handle := func(*pb.StreamIngestRequest, *pb.StreamIngestResponse) error {
		atFirst = asked.Load()
		return io.ErrShortBuffer
	}
	err := StreamIngest(context.Background(), connection, next, handle, Options{MaxInFlight: 10_000})
	// Without backpressure, 200 MB would be read at once.
	if err != io.ErrShortBuffer || atFirst > 1000 {
		t.Fatalf("%d were read, %v", atFirst, err)
	}
}
