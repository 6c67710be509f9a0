package embeddings

import (
	"context"
	"sync/atomic"
	"time"
)

// watcher cancels a stream if a response is overdue. Time in which the source or the handler is slow does not count.
type watcher struct {
	since atomic.Int64
	fired atomic.Bool
	ended chan struct{}
}

func watch(timeout time.Duration, isOwed func() bool, cancel context.CancelFunc) *watcher {
	w := &watcher{ended: make(chan struct{})}
	step := timeout / 10
	if step > time.Second {
		step = time.Second
	}
	go func() {
		ticker := time.NewTicker(step)
		defer ticker.Stop()
		for {
			select {
			case <-w.ended:
				return
			case <-ticker.C:
			}
			since := w.since.Load()
			switch {
			case since == 0:
			case !isOwed():
				w.since.CompareAndSwap(since, time.Now().UnixNano())
			case time.Since(time.Unix(0, since)) > timeout:
				w.fired.Store(true)
				cancel()
				return
			}
		}
	}()
	return w
}

func (w *watcher) start() { w.since.Store(time.Now().UnixNano()) }

func (w *watcher) pause() { w.since.Store(0) }

func (w *watcher) stop() { close(w.ended) }

func (w *watcher) hasFired() bool { return w.fired.Load() }
