package embeddings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Options configure a stream. The zero value selects the defaults.
type Options struct {
	// Timeout is the maximum time to wait for the next response while requests are unanswered. Default: 30 s.
	Timeout time.Duration
	// MaxInFlight is the maximum number of unanswered requests, which are kept in memory. Default: 512.
	MaxInFlight int
	// Attempts is the maximum number of consecutive connections that break without a response. Default: 5.
	Attempts int
	// MaxItemsPerMessage is the maximum number of items in one message, 1 to 1,000. At most a quarter of MaxInFlight is used.
	// 1 turns messages with several items off: required by servers of an earlier version, with which a stream otherwise fails
	// with codes.Internal ("out of order"). Default: 64.
	MaxItemsPerMessage int
	// MaxBytesPerMessage is the maximum size of the items in one message, in bytes, 1 to 67,108,864. A larger item is sent
	// alone. Default: 524,288.
	MaxBytesPerMessage int
	// BatchDelay is the maximum time that an item waits for others, at most 1 s. An item waits only while earlier items are
	// unanswered. Negative values mean no delay. Default: 2 ms.
	BatchDelay time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 512
	}
	if o.Attempts <= 0 {
		o.Attempts = 5
	}
	if o.MaxItemsPerMessage == 0 {
		o.MaxItemsPerMessage = 64
	}
	if o.MaxBytesPerMessage == 0 {
		o.MaxBytesPerMessage = 512 << 10
	}
	if o.BatchDelay == 0 {
		o.BatchDelay = 2 * time.Millisecond
	}
	switch {
	case o.MaxItemsPerMessage < 1 || o.MaxItemsPerMessage > 1000:
		return o, fmt.Errorf("MaxItemsPerMessage must be between 1 and 1000; got %d", o.MaxItemsPerMessage)
	case o.MaxBytesPerMessage < 1 || o.MaxBytesPerMessage > maxMessage:
		return o, fmt.Errorf("MaxBytesPerMessage must be between 1 and %d; got %d", maxMessage, o.MaxBytesPerMessage)
	case o.BatchDelay > time.Second:
		return o, fmt.Errorf("BatchDelay must be at most 1s; got %v", o.BatchDelay)
	}
	return o, nil
}

// Message is a request or a response of a stream: one item, or several.
type Message[T any] interface {
	proto.Message
	GetItemId() string
	GetItems() []T
}

// Stream is the common interface of the generated bidirectional streams.
type Stream[Request, Response any] interface {
	Send(Request) error
	Recv() (Response, error)
	CloseSend() error
}

// Exchange sends the requests that next returns until it returns io.EOF, and calls handle with each request and its
// response, in order.
//
// It calls next only as fast as the server accepts requests: Send blocks until flow control allows sending, and at most
// MaxInFlight requests are in flight. Requests are sent in messages of several (MaxItemsPerMessage); next and handle get single
// ones. If the connection breaks, unanswered requests are resent on a new one, which is safe because points are replaced by
// id. next runs on a separate goroutine and must return when ctx is done. An error of next or handle ends the exchange and is
// returned unchanged, as is that of an invalid option; all other errors are *Error.
func Exchange[Request Message[Request], Response Message[Response]](
	ctx context.Context,
	open func(context.Context) (Stream[Request, Response], error),
	next func(context.Context) (Request, error),
	handle func(Request, Response) error,
	options Options,
) error {
	options, err := options.withDefaults()
	if err != nil {
		return err
	}
	p := newPump(next, options)
	attempt := 1
	// A stream is opened only when there is something to send: a slow source does not cost attempts.
	for p.hasWork(ctx) {
		answered, err := exchangeOnce(ctx, open, handle, options, p)
		var failure *Error
		if err == nil || !errors.As(err, &failure) || !failure.Retryable() || ctx.Err() != nil {
			return err
		}
		if answered {
			attempt = 1
		}
		if !p.isOwed() {
			continue
		}
		if attempt >= options.Attempts {
			return err
		}
		pause := time.Duration(100<<attempt) * time.Millisecond
		if pause > 5*time.Second {
			pause = 5 * time.Second
		}
		if pause < failure.RetryAfter {
			pause = failure.RetryAfter
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return FromCall(err)
		}
		attempt++
	}
	if failed := p.failure(); failed != nil {
		return failed
	}
	if !p.isDone() {
		return FromCall(status.FromContextError(ctx.Err()).Err())
	}
	return nil
}

func exchangeOnce[Request Message[Request], Response Message[Response]](
	parent context.Context,
	open func(context.Context) (Stream[Request, Response], error),
	handle func(Request, Response) error,
	options Options,
	p *pump[Request],
) (answered bool, err error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	stream, err := open(ctx)
	if err != nil {
		return false, FromCall(err)
	}
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		if p.feed(ctx, stream.Send) {
			_ = stream.CloseSend()
		} else if p.failure() != nil {
			cancel()
		}
	}()
	// The next attempt must not start while this one is still reading from next.
	defer func() {
		cancel()
		<-sending
		if failed := p.failure(); failed != nil {
			err = failed
		}
	}()

	overdue := watch(options.Timeout, p.isOwed, cancel)
	defer overdue.stop()
	for {
		overdue.start()
		answer, err := stream.Recv()
		overdue.pause()
		if err == io.EOF {
			<-sending
			if left := p.unansweredCount(); left > 0 || !p.isDone() {
				message := fmt.Sprintf("The server ended the stream with %d items unanswered.", left)
				return answered, &Error{Code: codes.Internal, Reason: "INTERNAL", Message: message}
			}
			return answered, nil
		}
		if err != nil {
			if overdue.hasFired() {
				message := fmt.Sprintf("The server sent no response within %v.", options.Timeout)
				return answered, &Error{Code: codes.DeadlineExceeded, Reason: "DEADLINE_EXCEEDED", Message: message}
			}
			if parent.Err() != nil {
				return answered, FromCall(err)
			}
			return answered, fromStream(err)
		}
		results := answer.GetItems()
		if len(results) == 0 {
			results = []Response{answer}
		}
		for _, result := range results {
			request, ok := p.take(result.GetItemId())
			if !ok {
				message := fmt.Sprintf("The response for item %q is out of order.", result.GetItemId())
				return answered, &Error{Code: codes.Internal, Reason: "INTERNAL", Field: "item_id", Message: message}
			}
			answered = true
			if err := handle(request, result); err != nil {
				return answered, err
			}
		}
	}
}
