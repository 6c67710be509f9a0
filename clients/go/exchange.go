package embeddings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// Options tell how a stream behaves. The zero value means the defaults.
type Options struct {
	// Timeout is how long to wait for an answer that is due; default 30 s.
	Timeout time.Duration
	// MaxInFlight is how many requests may be without an answer; default 512.
	MaxInFlight int
	// Attempts is how many connections in a row may break before any answer comes; default 5.
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

// Named is a request or an answer with its item's name.
type Named interface{ GetItemId() string }

// Stream is what the generated bidirectional streams have in common.
type Stream[Request, Response any] interface {
	Send(Request) error
	Recv() (Response, error)
	CloseSend() error
}

// Exchange sends what next gives until it says io.EOF, and calls handle with each request and its answer, in order.
//
// It asks next only as fast as the server takes requests: Send blocks while flow control holds it, and at most MaxInFlight requests are without an
// answer. Where the connection breaks, what has no answer is sent again on a new one; point ids make that safe. next runs on a goroutine of its own and
// has to return when ctx ends. An error of next or handle ends the exchange and is returned unchanged; every other one is an *Error.
func Exchange[Request, Response Named](
	ctx context.Context,
	open func(context.Context) (Stream[Request, Response], error),
	next func(context.Context) (Request, error),
	handle func(Request, Response) error,
	options Options,
) error {
	options = options.withDefaults()
	p := &pump[Request]{next: next, slots: make(chan struct{}, options.MaxInFlight)}
	for attempt := 1; ; attempt++ {
		answered, err := exchangeOnce(ctx, open, handle, options, p)
		var failure *Error
		if err == nil || !errors.As(err, &failure) || !failure.Retryable() || ctx.Err() != nil {
			return err
		}
		if answered {
			attempt = 1
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
	}
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
	// The next attempt must not begin while this one still takes from next.
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
				return answered, &Error{Code: codes.Internal, Reason: "INTERNAL", Message: fmt.Sprintf("the stream ended with %d items unanswered", left)}
			}
			return answered, nil
		}
		if err != nil {
			if overdue.hasFired() {
				return answered, &Error{Code: codes.DeadlineExceeded, Reason: "DEADLINE_EXCEEDED", Message: fmt.Sprintf("no answer within %v", options.Timeout)}
			}
			return answered, FromCall(err)
		}
		request, ok := p.take(answer.GetItemId())
		if !ok {
			return answered, &Error{Code: codes.Internal, Reason: "INTERNAL", Field: "item_id", Message: fmt.Sprintf("the answer for item %q is out of turn", answer.GetItemId())}
		}
		answered = true
		if err := handle(request, answer); err != nil {
			return answered, err
		}
	}
}

// pump takes requests from next to one stream after the other, and keeps those without an answer.
type pump[Request Named] struct {
	next  func(context.Context) (Request, error)
	slots chan struct{}

	mu         sync.Mutex
	unanswered []Request
	done       bool
	failed     error
}

// feed sends until there is nothing more (true) or the stream ends (false).
func (p *pump[Request]) feed(ctx context.Context, send func(Request) error) bool {
	p.mu.Lock()
	again := append([]Request(nil), p.unanswered...)
	p.mu.Unlock()
	for _, request := range again {
		// The reason of a failed Send comes from Recv.
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
		request, err := p.next(ctx)
		p.mu.Lock()
		switch {
		case err == io.EOF:
			p.done = true
		case err != nil && ctx.Err() == nil:
			p.failed = err
		case err == nil:
			p.unanswered = append(p.unanswered, request)
		}
		p.mu.Unlock()
		if err != nil {
			<-p.slots
			if err == io.EOF {
				break
			}
			return false
		}
		if send(request) != nil {
			return false
		}
	}
	return true
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
