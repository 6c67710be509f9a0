package embeddings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Options configure a stream. The zero value selects the defaults.
type Options struct {
	// Timeout is the maximum time to wait for the next response while requests are unanswered. Default: 30 s.
	Timeout time.Duration
	// MaxInFlight is the maximum number of requests in flight. Default: 512.
	MaxInFlight int
	// Attempts is the maximum number of consecutive connections that break without a response. Default: 5.
	Attempts int
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 512
	}
	if o.Attempts <= 0 {
		o.Attempts = 5
	}
	return o
}

// Named is a request or a response with an item id.
type Named interface{ GetItemId() string }

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
// MaxInFlight requests are in flight. If the connection breaks, unanswered requests are resent on a new one, which is safe
// because points are replaced by id. next runs on a separate goroutine and must return when ctx is done. An
// error of next or handle ends the exchange and is returned unchanged; all other errors are *Error.
func Exchange[Request, Response Named](
	ctx context.Context,
	open func(context.Context) (Stream[Request, Response], error),
	next func(context.Context) (Request, error),
	handle func(Request, Response) error,
	options Options,
) error {
	options = options.withDefaults()
	p := &pump[Request]{next: next, slots: make(chan struct{}, options.MaxInFlight)}
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

func exchangeOnce[Request, Response Named](
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
		request, ok := p.take(answer.GetItemId())
		if !ok {
			message := fmt.Sprintf("The response for item %q is out of order.", answer.GetItemId())
			return answered, &Error{Code: codes.Internal, Reason: "INTERNAL", Field: "item_id", Message: message}
		}
		answered = true
		if err := handle(request, answer); err != nil {
			return answered, err
		}
	}
}

// pump sends requests from next to one stream after another, and keeps the unanswered ones.
type pump[Request Named] struct {
	next  func(context.Context) (Request, error)
	slots chan struct{}

	mu         sync.Mutex
	unanswered []Request
	done       bool
	failed     error
}

// hasWork waits for a request to send and returns whether there is one. Used between streams.
func (p *pump[Request]) hasWork(ctx context.Context) bool {
	if p.isOwed() || p.isDone() {
		return p.isOwed()
	}
	// There is a free slot, because nothing is in flight.
	p.slots <- struct{}{}
	_, ok := p.read(ctx)
	return ok
}

// feed sends until there are no more requests (returns true) or the stream ends (returns false).
func (p *pump[Request]) feed(ctx context.Context, send func(Request) error) bool {
	p.mu.Lock()
	again := append([]Request(nil), p.unanswered...)
	p.mu.Unlock()
	for _, request := range again {
		// Recv returns the reason of a failed Send.
		if send(request) != nil {
			return false
		}
	}
	for !p.isDone() {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		request, ok := p.read(ctx)
		if !ok {
			break
		}
		if send(request) != nil {
			return false
		}
	}
	return p.isDone()
}

// read reads a request for which a slot is taken.
func (p *pump[Request]) read(ctx context.Context) (Request, bool) {
	request, err := p.next(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.unanswered = append(p.unanswered, request)
		return request, true
	case err == io.EOF:
		p.done = true
	case ctx.Err() == nil:
		p.failed = err
	}
	<-p.slots
	return request, false
}

func (p *pump[Request]) take(id string) (request Request, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.unanswered) == 0 || p.unanswered[0].GetItemId() != id {
		return request, false
	}
	request, p.unanswered = p.unanswered[0], p.unanswered[1:]
	<-p.slots
	return request, true
}

func (p *pump[Request]) unansweredCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.unanswered)
}

func (p *pump[Request]) isOwed() bool { return p.unansweredCount() > 0 }

func (p *pump[Request]) isDone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

func (p *pump[Request]) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}
