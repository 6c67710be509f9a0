package embeddings

import (
	"context"
	"io"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// pump packs requests from next into the messages of one stream after another, and keeps the unanswered ones.
type pump[Request Message[Request]] struct {
	next        func(context.Context) (Request, error)
	maxInFlight int
	maxItems    int
	maxBytes    int
	delay       time.Duration

	// Wakes up the sender when a message may be complete, and the reader when there may be room.
	ready, room chan struct{}

	mu sync.Mutex
	// The first sent of the unanswered requests have been sent on the current stream. The others wait for their message, the
	// first of them since the time since.
	unanswered   []sized[Request]
	sent         int
	waitingBytes int
	since        time.Time
	done         bool
	failed       error
}

type sized[Request any] struct {
	request Request
	bytes   int
}

func newPump[Request Message[Request]](next func(context.Context) (Request, error), options Options) *pump[Request] {
	p := &pump[Request]{
		next:        next,
		maxInFlight: options.MaxInFlight,
		maxItems:    options.MaxItemsPerMessage,
		maxBytes:    options.MaxBytesPerMessage,
		delay:       options.BatchDelay,
		ready:       make(chan struct{}, 1),
		room:        make(chan struct{}, 1),
	}
	// Several messages are in flight, so that the server always has one to work on.
	if most := options.MaxInFlight / 4; p.maxItems > most {
		p.maxItems = most
	}
	if p.maxItems < 1 {
		p.maxItems = 1
	}
	return p
}

// hasWork waits for a request to send and returns whether there is one. Used between streams.
func (p *pump[Request]) hasWork(ctx context.Context) bool {
	if !p.isOwed() && !p.isDone() {
		p.read(ctx)
	}
	return p.isOwed()
}

// feed sends until there are no more requests (returns true) or the stream ends (returns false).
func (p *pump[Request]) feed(parent context.Context, send func(Request) error) bool {
	p.restart()
	ctx, cancel := context.WithCancel(parent)
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		for p.waitForRoom(ctx) && p.read(ctx) {
		}
	}()
	defer func() {
		cancel()
		<-reading
	}()
	for {
		message := p.message()
		switch {
		case len(message) > 0:
			// Recv returns the reason of a failed Send.
			if send(pack(message)) != nil {
				return false
			}
		case p.failure() != nil:
			return false
		case p.isDone() && p.waiting() == 0:
			return true
		case !p.waitForMessage(ctx):
			return false
		}
	}
}

// restart makes all unanswered requests wait for the messages of a new stream.
func (p *pump[Request]) restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, again := range p.unanswered[:p.sent] {
		p.waitingBytes += again.bytes
	}
	p.sent = 0
}

// waitForRoom waits until a request can be read. At most one message is read ahead, so that a slow server slows down next.
func (p *pump[Request]) waitForRoom(ctx context.Context) bool {
	for {
		p.mu.Lock()
		hasRoom := len(p.unanswered) < p.maxInFlight && len(p.unanswered)-p.sent < p.maxItems && p.waitingBytes < p.maxBytes
		p.mu.Unlock()
		if hasRoom {
			return ctx.Err() == nil
		}
		select {
		case <-p.room:
		case <-ctx.Done():
			return false
		}
	}
}

// read reads a request and returns whether there may be another.
func (p *pump[Request]) read(ctx context.Context) bool {
	request, err := p.next(ctx)
	size := 0
	if err == nil {
		size = proto.Size(request)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		if len(p.unanswered) == p.sent {
			p.since = time.Now()
		}
		p.unanswered = append(p.unanswered, sized[Request]{request, size})
		p.waitingBytes += size
		// The first request starts the delay.
		if len(p.unanswered)-p.sent == 1 || p.isComplete() {
			signal(p.ready)
		}
		return true
	case err == io.EOF:
		p.done = true
	case ctx.Err() == nil:
		p.failed = err
	}
	signal(p.ready)
	return false
}

// message takes the requests of the next message, none if it is not complete.
func (p *pump[Request]) message() []sized[Request] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil || !p.isComplete() {
		return nil
	}
	waiting := p.unanswered[p.sent:]
	count, bytes := 0, 0
	for count < len(waiting) && count < p.maxItems && (count == 0 || bytes+waiting[count].bytes <= p.maxBytes) {
		bytes += waiting[count].bytes
		count++
	}
	p.sent += count
	p.waitingBytes -= bytes
	p.since = time.Now()
	signal(p.room)
	return append([]sized[Request](nil), waiting[:count]...)
}

// isComplete returns whether the waiting requests are sent now. Requires mu.
func (p *pump[Request]) isComplete() bool {
	waiting := len(p.unanswered) - p.sent
	return waiting > 0 &&
		(p.sent == 0 || // As in Nagle's algorithm: otherwise, a response will come in any case.
			waiting >= p.maxItems || p.waitingBytes >= p.maxBytes || len(p.unanswered) >= p.maxInFlight || p.done ||
			time.Since(p.since) >= p.delay)
}

// waitForMessage waits until a message may be complete. Returns false if the stream has ended.
func (p *pump[Request]) waitForMessage(ctx context.Context) bool {
	var due <-chan time.Time
	p.mu.Lock()
	if len(p.unanswered) > p.sent {
		timer := time.NewTimer(time.Until(p.since.Add(p.delay)))
		defer timer.Stop()
		due = timer.C
	}
	p.mu.Unlock()
	select {
	case <-p.ready:
	case <-due:
	case <-ctx.Done():
		return false
	}
	return true
}

func (p *pump[Request]) take(id string) (request Request, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == 0 || p.unanswered[0].request.GetItemId() != id {
		return request, false
	}
	request, p.unanswered = p.unanswered[0].request, p.unanswered[1:]
	p.sent--
	if p.sent == 0 {
		signal(p.ready)
	}
	signal(p.room)
	return request, true
}

func (p *pump[Request]) unansweredCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.unanswered)
}

func (p *pump[Request]) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.unanswered) - p.sent
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

// signal wakes up the goroutine that waits on a channel with room for one signal, or the next one that will.
func signal(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

// pack returns the message of several requests, which it shares. One request is its own message, which servers of an earlier
// version understand.
func pack[Request Message[Request]](requests []sized[Request]) Request {
	if len(requests) == 1 {
		return requests[0].request
	}
	message := requests[0].request.ProtoReflect().New()
	items := message.Mutable(message.Descriptor().Fields().ByName("items")).List()
	for _, item := range requests {
		items.Append(protoreflect.ValueOfMessage(item.request.ProtoReflect()))
	}
	return message.Interface().(Request)
}
