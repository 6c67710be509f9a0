package io.embeddings.client;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import java.util.function.ToIntFunction;

/**
 * Reads a source on a thread of its own, packs its requests into the messages of one call after another, and keeps the
 * unanswered ones.
 */
final class Pump<Q> implements AutoCloseable {
    private final Iterator<Q> source;
    private final ToIntFunction<Q> size;
    private final Function<Q, String> id;
    private final int maxInFlight;
    private final int maxItems;
    private final int maxBytes;
    private final long delay;
    private final Thread reader = new Thread(this::readAll, "embeddings-stream-source");

    // Unanswered requests, in order: those sent on the current call, then those that wait for their message, the first of them
    // since the time `since` (in nanoseconds).
    private final Deque<Q> sent = new ArrayDeque<>();
    private final Deque<Q> waiting = new ArrayDeque<>();
    private long waitingBytes;
    private long since;
    private Runnable onReady = () -> {};
    private boolean done;
    private boolean closed;
    private Throwable failure;

    Pump(Iterator<Q> source, ToIntFunction<Q> size, Function<Q, String> id, Exchange.Options options) {
        this.source = source;
        this.size = size;
        this.id = id;
        maxInFlight = options.maxInFlight;
        // Several messages are in flight, so that the server always has one to work on.
        maxItems = Math.min(options.maxItemsPerMessage, Math.max(1, options.maxInFlight / 4));
        maxBytes = options.maxBytesPerMessage;
        delay = options.batchDelay.toNanos();
        // A source that ignores interrupts must not keep the program alive.
        reader.setDaemon(true);
        reader.start();
    }

    /** Waits for a request to send and returns whether there is one. Used between calls. */
    synchronized boolean hasWork() throws InterruptedException {
        while (unanswered() == 0 && !done) {
            wait();
        }
        return unanswered() > 0;
    }

    /** Makes all unanswered requests wait for the messages of a new call. `ready` runs when a message may be complete. */
    synchronized void connect(Runnable ready) {
        onReady = ready;
        while (!sent.isEmpty()) {
            Q request = sent.removeLast();
            waiting.addFirst(request);
            waitingBytes += size.applyAsInt(request);
        }
    }

    /** Takes the requests of the next message; none if it is not complete. Throws the exception of the source. */
    synchronized List<Q> message() {
        rethrow();
        List<Q> message = new ArrayList<>();
        if (!isComplete()) {
            return message;
        }
        long bytes = 0;
        while (!waiting.isEmpty() && message.size() < maxItems) {
            int next = size.applyAsInt(waiting.peek());
            if (!message.isEmpty() && bytes + next > maxBytes) {
                break;
            }
            bytes += next;
            message.add(waiting.remove());
        }
        sent.addAll(message);
        waitingBytes -= bytes;
        since = System.nanoTime();
        notifyAll();
        return message;
    }

    /** Returns the time until the waiting requests are sent at the latest, in nanoseconds. */
    synchronized long due() {
        return waiting.isEmpty() ? Long.MAX_VALUE : Math.max(0, since + delay - System.nanoTime());
    }

    /** Removes the oldest unanswered request and returns it; null if it was not sent or has another id. */
    synchronized Q take(String answered) {
        if (sent.isEmpty() || !id.apply(sent.peek()).equals(answered)) {
            return null;
        }
        notifyAll();
        return sent.remove();
    }

    synchronized int unanswered() {
        return sent.size() + waiting.size();
    }

    /** Returns whether the source has ended. */
    synchronized boolean isDone() {
        return done;
    }

    /** Returns whether all requests of the source have been sent on the current call. */
    synchronized boolean isSent() {
        return done && failure == null && waiting.isEmpty();
    }

    /** Throws the exception of the source, if there is one. */
    synchronized void rethrow() {
        if (failure != null) {
            Pump.<RuntimeException>sneak(failure);
        }
    }

    /** Ends the reading of the source. Returns when its call in progress has returned. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        boolean interrupted = false;
        reader.interrupt();
        while (reader.isAlive()) {
            try {
                reader.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private boolean isComplete() {
        return !waiting.isEmpty()
                // As in Nagle's algorithm: while requests are unanswered, a response will come in any case.
                && (sent.isEmpty()
                        || waiting.size() >= maxItems
                        || waitingBytes >= maxBytes
                        || unanswered() >= maxInFlight
                        || done
                        || System.nanoTime() - since >= delay);
    }

    private void readAll() {
        try {
            while (waitForRoom() && source.hasNext()) {
                add(source.next());
            }
            end(null);
        } catch (Throwable e) {
            end(e);
        }
    }

    // At most one message is read ahead, so that a slow server slows down the source.
    private synchronized boolean waitForRoom() throws InterruptedException {
        while (!closed && (waiting.size() >= maxItems || waitingBytes >= maxBytes || unanswered() >= maxInFlight)) {
            wait();
        }
        return !closed;
    }

    private synchronized void add(Q request) {
        if (waiting.isEmpty()) {
            since = System.nanoTime();
        }
        waiting.add(request);
        waitingBytes += size.applyAsInt(request);
        // The first request starts the delay.
        if (waiting.size() == 1 || isComplete()) {
            notifyAll();
            onReady.run();
        }
    }

    private synchronized void end(Throwable error) {
        done = true;
        failure = error;
        notifyAll();
        onReady.run();
    }

    // Rethrows any exception unchanged, also a checked one of a source that hides it.
    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void sneak(Throwable error) throws T {
        throw (T) error;
    }
}
