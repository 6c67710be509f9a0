package embeddings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

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

// itemsOf returns the items of a message of either form.
func itemsOf(message *pb.StreamIngestRequest) []*pb.StreamIngestRequest {
	if len(message.GetItems()) > 0 {
		return message.GetItems()
	}
	return []*pb.StreamIngestRequest{message}
}

// ackAll is the response to a message of either form.
func ackAll(message *pb.StreamIngestRequest) *pb.StreamIngestResponse {
	if len(message.GetItems()) == 0 {
		return ack(message.GetItemId())
	}
	response := &pb.StreamIngestResponse{}
	for _, item := range message.GetItems() {
		response.Items = append(response.Items, ack(item.GetItemId()))
	}
	return response
}

// each calls answer with each message of a stream.
func each(stream pb.IngestService_StreamIngestServer, answer func(*pb.StreamIngestRequest) error) error {
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = answer(message)
		}
		if err != nil {
			return err
		}
	}
}

func echo(stream pb.IngestService_StreamIngestServer) error {
	return each(stream, func(message *pb.StreamIngestRequest) error { return stream.Send(ackAll(message)) })
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
		answered := 0
		return each(stream, func(message *pb.StreamIngestRequest) error {
			for _, item := range itemsOf(message) {
				if number < 3 && answered == 10 {
					// Within a message, unless it has one item.
					return status.Error(codes.Unavailable, "away")
				}
				answered++
				if err := stream.Send(ack(item.GetItemId())); err != nil {
					return err
				}
			}
			return nil
		})
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
				_ = stream.Send(ackAll(request))
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

func TestItemsThatWaitAreSentInOneMessage(t *testing.T) {
	var sizes []int
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		return each(stream, func(message *pb.StreamIngestRequest) error {
			sizes = append(sizes, len(message.GetItems()))
			return stream.Send(ackAll(message))
		})
	})
	read := 0
	ids, err := run(connection, source(1000, 10, &read), Options{BatchDelay: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, ids, 1000)
	most := 0
	for _, size := range sizes {
		if size > most {
			most = size
		}
	}
	if most != 64 || len(sizes) > 100 {
		t.Fatalf("%d messages, the largest with %d items", len(sizes), most)
	}
}

func TestASingleItemIsSentInTheSingleForm(t *testing.T) {
	batches := 0
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		return each(stream, func(message *pb.StreamIngestRequest) error {
			if len(message.GetItems()) > 0 {
				batches++
			}
			return stream.Send(ackAll(message))
		})
	})
	read := 0
	items := source(5, 10, &read)
	answered := make(chan struct{}, 5)
	next := func(ctx context.Context) (*pb.StreamIngestRequest, error) {
		if read > 0 && read < 5 {
			<-answered
		}
		return items(ctx)
	}
	handle := func(*pb.StreamIngestRequest, *pb.StreamIngestResponse) error {
		answered <- struct{}{}
		return nil
	}
	if err := StreamIngest(context.Background(), connection, next, handle, Options{BatchDelay: time.Second}); err != nil || batches > 0 {
		t.Fatalf("%d batches, %v", batches, err)
	}
}

func TestMessagesKeepTheirBounds(t *testing.T) {
	var messages []*pb.StreamIngestRequest
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		return each(stream, func(message *pb.StreamIngestRequest) error {
			messages = append(messages, message)
			return stream.Send(ackAll(message))
		})
	})
	read := 0
	if _, err := run(connection, source(100, 1500, &read), Options{MaxItemsPerMessage: 1000, MaxBytesPerMessage: 10_000, BatchDelay: time.Second}); err != nil {
		t.Fatal(err)
	}
	batches := 0
	for _, message := range messages {
		// Each item costs a few bytes more in a message.
		if proto.Size(message) > 10_000+10*len(message.GetItems()) {
			t.Fatalf("a message has %d bytes", proto.Size(message))
		}
		if len(message.GetItems()) > 0 {
			batches++
		}
	}
	if batches == 0 {
		t.Fatal("no message has several items")
	}

	// An item that is larger is sent alone.
	messages, read = nil, 0
	if _, err := run(connection, source(3, 20_000, &read), Options{MaxBytesPerMessage: 10_000, BatchDelay: time.Second}); err != nil || len(messages) != 3 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}

	// A quarter of the window, so that several messages are in flight.
	messages, read = nil, 0
	if _, err := run(connection, source(200, 10, &read), Options{MaxInFlight: 40, BatchDelay: time.Second}); err != nil {
		t.Fatal(err)
	}
	most := 0
	for _, message := range messages {
		if len(message.GetItems()) > most {
			most = len(message.GetItems())
		}
	}
	if most != 10 {
		t.Fatalf("the largest message has %d items", most)
	}

	messages, read = nil, 0
	if _, err := run(connection, source(200, 10, &read), Options{MaxItemsPerMessage: 1}); err != nil || len(messages) != 200 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
}

func TestAnItemWaitsNoLongerThanTheDelay(t *testing.T) {
	received := make(chan struct{})
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		var unanswered []string
		return each(stream, func(message *pb.StreamIngestRequest) error {
			for _, item := range itemsOf(message) {
				unanswered = append(unanswered, item.GetItemId())
			}
			if len(unanswered) == 1 {
				return nil
			}
			close(received)
			for _, id := range unanswered {
				_ = stream.Send(ack(id))
			}
			unanswered = nil
			return nil
		})
	})
	read := 0
	items := source(2, 10, &read)
	next := func(ctx context.Context) (*pb.StreamIngestRequest, error) {
		if read == 2 {
			// Blocked until the second item is there, which no further item pushes.
			select {
			case <-received:
			case <-time.After(30 * time.Second):
				return nil, errors.New("the second item was not sent")
			}
		}
		return items(ctx)
	}
	ids, err := run(connection, next, Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, ids, 2)
}

func TestResultsCanComeInSeveralMessagesWithErrorsInTheirPlace(t *testing.T) {
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		return each(stream, func(message *pb.StreamIngestRequest) error {
			items := itemsOf(message)
			for len(items) > 0 {
				response := &pb.StreamIngestResponse{}
				for len(items) > 0 && len(response.GetItems()) < 7 {
					result := ack(items[0].GetItemId())
					if items[0].GetItemId() == "150" {
						result.Result = &pb.StreamIngestResponse_Error{Error: &pb.ItemError{Reason: "IMAGE_EMPTY"}}
					}
					response.Items = append(response.Items, result)
					items = items[1:]
				}
				if err := stream.Send(response); err != nil {
					return err
				}
			}
			return nil
		})
	})
	read := 0
	var ids, failed []string
	handle := func(request *pb.StreamIngestRequest, answer *pb.StreamIngestResponse) error {
		ids = append(ids, answer.GetItemId())
		if answer.GetError() != nil {
			failed = append(failed, request.GetItemId())
		}
		return nil
	}
	if err := StreamIngest(context.Background(), connection, source(300, 10, &read), handle, Options{}); err != nil {
		t.Fatal(err)
	}
	checkAll(t, ids, 300)
	if len(failed) != 1 || failed[0] != "150" {
		t.Fatalf("failed: %v", failed)
	}
}

func TestMoreResultsThanItemsAreAnError(t *testing.T) {
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		return each(stream, func(message *pb.StreamIngestRequest) error {
			id := message.GetItemId()
			return stream.Send(&pb.StreamIngestResponse{Items: []*pb.StreamIngestResponse{ack(id), ack(id)}})
		})
	})
	read := 0
	_, err := run(connection, source(1, 10, &read), Options{})
	checkCode(t, err, codes.Internal)
}

func TestAServerOfAnEarlierVersionIsAnError(t *testing.T) {
	connection := against(t, func(_ int, stream pb.IngestService_StreamIngestServer) error {
		return each(stream, func(message *pb.StreamIngestRequest) error {
			if len(message.GetItems()) == 0 {
				return stream.Send(ack(message.GetItemId()))
			}
			// It ignores the unknown items and sees an empty one.
			return stream.Send(&pb.StreamIngestResponse{Result: &pb.StreamIngestResponse_Error{Error: &pb.ItemError{Reason: "FIELD_REQUIRED"}}})
		})
	})
	read := 0
	_, err := run(connection, source(100, 10, &read), Options{})
	checkCode(t, err, codes.Internal)
	read = 0
	ids, err := run(connection, source(100, 10, &read), Options{MaxItemsPerMessage: 1})
	if err != nil {
		t.Fatal(err)
	}
	checkAll(t, ids, 100)
}

func TestOptionsHaveLimits(t *testing.T) {
	for _, options := range []Options{{MaxItemsPerMessage: 1001}, {MaxItemsPerMessage: -1}, {MaxBytesPerMessage: -1}, {BatchDelay: 2 * time.Second}} {
		if _, err := options.withDefaults(); err == nil {
			t.Errorf("%+v", options)
		}
	}
}

func TestVectorsAsBytes(t *testing.T) {
	vector := []float32{0.1, -2.5, 1e-30, 3.4e38}
	data := VectorToBytes(vector)
	if fmt.Sprintf("%x", data[:4]) != "cdcccc3d" {
		t.Fatalf("%x", data)
	}
	for _, read := range []func() ([]float32, error){
		func() ([]float32, error) { return EmbeddingVector(&pb.Embedding{Values: vector}) },
		func() ([]float32, error) { return EmbeddingVector(&pb.Embedding{ValuesF32: data}) },
		func() ([]float32, error) { return PointVector(&pb.VectorPoint{Vector: vector}) },
		func() ([]float32, error) { return PointVector(&pb.VectorPoint{VectorF32: data}) },
	} {
		if got, err := read(); err != nil || !reflect.DeepEqual(got, vector) {
			t.Errorf("%v, %v", got, err)
		}
	}
	if _, err := VectorFromBytes(data[:5]); err == nil {
		t.Error("5 bytes are no vector")
	}
}
