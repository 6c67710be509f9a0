import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientDuplexStream, type ClientReadableStream, type ServiceError, status } from '@grpc/grpc-js';
import { EmbeddingsError } from './errors.js';

/** Source of requests, synchronous or asynchronous. */
export type Source<T> = Iterable<T> | AsyncIterable<T>;

/** Options of a stream. */
export interface StreamOptions {
  /** Maximum time to wait for the next response while requests are unanswered, in milliseconds. */
  timeoutMs: number;
  /** Maximum number of requests in flight. */
  maxInFlight: number;
  /** Maximum number of consecutive connections that break without a response. */
  attempts: number;
}

interface Named {
  itemId?: string;
}

/**
 * Sends requests and yields one response per request, in order. The source is read only as fast as the server accepts
 * requests: writing waits for `drain`. If the connection breaks, unanswered requests are resent on a new one, which is safe
 * because points are replaced by id. Exceptions of the source are rethrown unchanged.
 * @throws EmbeddingsError if the whole stream fails
 */
export async function* exchange<Request extends Named, Response extends { itemId: string }>(
  open: () => ClientDuplexStream<Request, Response>,
  source: Source<Request>,
  options: StreamOptions,
): AsyncGenerator<Response> {
  const pump = new Pump(source, options.maxInFlight);
  try {
    let attempt = 1;
    // A connection is opened only when there is something to send: a slow source does not cost attempts.
    while (await pump.hasWork()) {
      const call = open();
      // The reader below receives the error too. Without this listener, Node.js would exit if the reader has stopped.
      call.on('error', () => {});
      const writing = pump.feed(call);
      const watch = watchOver(call, pump, options.timeoutMs);
      try {
        for await (const answer of call as AsyncIterable<Response>) {
          const request = pump.unanswered.shift();
          if (request === undefined || (request.itemId ?? '') !== answer.itemId) {
            throw new EmbeddingsError(status.INTERNAL, 'INTERNAL', 'itemId', `The response for item '${answer.itemId}' is out of order.`);
          }
          pump.wake();
          attempt = 1;
          watch.waiting = false;
          yield answer;
          watch.waiting = true;
        }
        await writing;
        if (pump.failure === undefined && (!pump.exhausted || pump.unanswered.length > 0)) {
          throw new EmbeddingsError(status.INTERNAL, 'INTERNAL', '', `The server ended the stream with ${pump.unanswered.length} items unanswered.`);
        }
        if (pump.failure !== undefined) {
          throw pump.failure;
        }
        return;
      } catch (error) {
        if (pump.failure !== undefined) {
          throw pump.failure;
        }
        const failure = watch.fired ? overdue(options.timeoutMs) : toError(error);
        if (!(failure instanceof EmbeddingsError) || !failure.retryable) {
          throw failure;
        }
        if (pump.unanswered.length > 0) {
          if (attempt >= options.attempts) {
            throw failure;
          }
          await sleep(Math.max(failure.retryAfterMs ?? 0, Math.min(100 * 2 ** attempt, 5000)));
          attempt++;
        }
      } finally {
        watch.stop();
        pump.stop(call);
        call.cancel();
      }
    }
    if (pump.failure !== undefined) {
      throw pump.failure;
    }
  } finally {
    pump.close();
  }
}

/**
 * Yields the responses of a call that answers with a stream.
 * @throws EmbeddingsError if the call fails
 */
export async function* receive<Response>(open: () => ClientReadableStream<Response>): AsyncGenerator<Response> {
  const call = open();
  // Without this listener, Node.js would exit if the reader has stopped.
  call.on('error', () => {});
  try {
    for await (const answer of call as AsyncIterable<Response>) {
      yield answer;
    }
  } catch (error) {
    throw toError(error);
  } finally {
    call.cancel();
  }
}

/** Sends requests from the source to one call after another, and keeps the unanswered ones. */
class Pump<Request> {
  readonly unanswered: Request[] = [];
  exhausted = false;
  failure: unknown;
  private readonly iterator: Iterator<Request> | AsyncIterator<Request>;
  private next: Promise<IteratorResult<Request>> | undefined;
  private current: unknown;
  private wakeUp = (): void => {};

  constructor(source: Source<Request>, private readonly maxInFlight: number) {
    this.iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** Waits for a request to send and returns whether there is one. Used between connections. */
  async hasWork(): Promise<boolean> {
    if (this.unanswered.length === 0 && !this.exhausted) {
      await this.read(() => true);
    }
    return this.unanswered.length > 0;
  }

  async feed(call: ClientDuplexStream<Request, unknown>): Promise<void> {
    this.current = call;
    for (const request of [...this.unanswered]) {
      await this.write(call, request);
    }
    while (this.current === call && !this.exhausted && this.failure === undefined) {
      if (this.unanswered.length >= this.maxInFlight) {
        await new Promise<void>((resolve) => (this.wakeUp = resolve));
        continue;
      }
      const request = await this.read(() => this.current === call);
      if (request !== undefined) {
        await this.write(call, request);
      }
    }
    if (this.failure !== undefined) {
      call.cancel();
    } else if (this.current === call) {
      call.end();
    }
  }

  // A request that was being read when the connection broke is sent on the next connection.
  private async read(isWanted: () => boolean): Promise<Request | undefined> {
    try {
      this.next ??= Promise.resolve(this.iterator.next());
      const result = await this.next;
      if (!isWanted()) {
        return undefined;
      }
      this.next = undefined;
      this.exhausted = result.done === true;
      if (!result.done) {
        this.unanswered.push(result.value);
        return result.value;
      }
    } catch (error) {
      this.failure = error ?? new Error('The source failed.');
      this.exhausted = true;
    }
    return undefined;
  }

  wake(): void {
    this.wakeUp();
  }

  stop(call: unknown): void {
    if (this.current === call) {
      this.current = undefined;
    }
    this.wake();
  }

  close(): void {
    if (!this.exhausted) {
      // Not awaited: a source that hangs must not block its reader.
      void Promise.resolve(this.iterator.return?.()).catch(() => {});
    }
  }

  private async write(call: ClientDuplexStream<Request, unknown>, request: Request): Promise<void> {
    if (this.current === call && !call.write(request)) {
      const gone = new AbortController();
      const end = (): void => gone.abort();
      call.once('close', end).once('end', end);
      await once(call, 'drain', { signal: gone.signal }).catch(() => {});
      call.off('close', end).off('end', end);
    }
  }
}

/** Cancels a call if a response is overdue. Time in which the source or the reader is slow does not count. */
function watchOver(call: { cancel(): void }, pump: { unanswered: unknown[] }, timeoutMs: number) {
  const watch = { waiting: true, fired: false, stop: () => clearInterval(timer) };
  const step = Math.max(1, Math.min(timeoutMs / 10, 1000));
  let first: unknown;
  let since = Date.now();
  const timer = setInterval(() => {
    if (!watch.waiting || pump.unanswered[0] !== first || first === undefined) {
      first = pump.unanswered[0];
      since = Date.now();
    } else if (Date.now() - since > timeoutMs) {
      watch.fired = true;
      call.cancel();
    }
  }, step);
  return watch;
}

function overdue(timeoutMs: number): EmbeddingsError {
  return new EmbeddingsError(status.DEADLINE_EXCEEDED, 'DEADLINE_EXCEEDED', '', `The server sent no response within ${timeoutMs} ms.`);
}

function toError(error: unknown): unknown {
  return error instanceof EmbeddingsError || (error as ServiceError).code === undefined ? error : EmbeddingsError.fromStream(error as ServiceError);
}
