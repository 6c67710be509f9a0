import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientDuplexStream, type ClientReadableStream, type ServiceError, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import { EmbeddingsError } from './errors.js';

/** Source of requests, synchronous or asynchronous. */
export type Source<T> = Iterable<T> | AsyncIterable<T>;

/** Options of a stream. Streams send several items in one message, which costs less per item; programs see single items. */
export interface StreamOptions {
  /** Maximum time to wait for the next response while requests are unanswered, in milliseconds. */
  timeoutMs: number;
  /** Maximum number of unanswered requests, which are kept in memory. At least 1. Default: 512. */
  maxInFlight: number;
  /** Maximum number of consecutive connections that break without a response. At least 1. Default: 5. */
  attempts: number;
  /**
   * Maximum number of items in one message, 1 to 1,000. At most a quarter of `maxInFlight` is used. 1 turns messages with several
   * items off: required by servers of an earlier version, with which a stream otherwise fails with INTERNAL ("out of order").
   * Default: 64.
   */
  maxItemsPerMessage: number;
  /** Maximum size of the items in one message, in bytes, 1 to 67,108,864. A larger item is sent alone. Default: 524,288. */
  maxBytesPerMessage: number;
  /**
   * Maximum time that an item waits for others, in milliseconds, 0 to 1,000. An item waits only while earlier items are
   * unanswered. Default: 2.
   */
  batchDelayMs: number;
}

/** Default options of a stream. */
export const streamDefaults: StreamOptions = {
  timeoutMs: 30_000,
  maxInFlight: 512,
  attempts: 5,
  maxItemsPerMessage: 64,
  maxBytesPerMessage: 524_288,
  batchDelayMs: 2,
};

/** @throws TypeError if an option is out of range */
export function checkStreamOptions(options: StreamOptions): void {
  const check = (name: keyof StreamOptions, least: number, most = Infinity): void => {
    const value = options[name];
    if (!(value >= least && value <= most)) {
      throw new TypeError(`${name} must be ${most === Infinity ? `at least ${least}` : `between ${least} and ${most}`}; got ${value}.`);
    }
  };
  check('maxInFlight', 1);
  check('attempts', 1);
  check('maxItemsPerMessage', 1, 1000);
  check('maxBytesPerMessage', 1, 64 * 1024 * 1024);
  check('batchDelayMs', 0, 1000);
}

/** A bidirectional streaming method whose messages have one item, or several in `items`. */
export interface StreamMethod<Request, Response> {
  /** Opens a call, to which serialized messages are written. */
  open(): ClientDuplexStream<Buffer, Response>;
  serialize(request: Request): Buffer;
  /** Number of the field `items` of the request. */
  itemsField: number;
}

interface Named {
  itemId?: string;
}

/**
 * Sends requests and yields one response per request, in order. The source is read only as fast as the server accepts
 * requests: writing waits for `drain`. Requests are sent in messages of several, see `StreamOptions`. If the connection breaks,
 * unanswered requests are resent on a new one, which is safe because points are replaced by id. Exceptions of the source are
 * rethrown unchanged.
 * @throws EmbeddingsError if the whole stream fails
 */
export async function* exchange<Request extends Named, Response extends { itemId: string; items: Response[] }>(
  method: StreamMethod<Request, Response>,
  source: Source<Request>,
  options: StreamOptions,
): AsyncGenerator<Response> {
  const pump = new Pump(source, method, options);
  try {
    let attempt = 1;
    // A connection is opened only when there is something to send: a slow source does not cost attempts.
    while (await pump.hasWork()) {
      const call = method.open();
      // The reader below receives the error too. Without this listener, Node.js would exit if the reader has stopped.
      call.on('error', () => {});
      const writing = pump.feed(call);
      const watch = watchOver(call, pump, options.timeoutMs);
      try {
        for await (const message of call as AsyncIterable<Response>) {
          for (const answer of message.items.length > 0 ? message.items : [message]) {
            if (!pump.take(answer.itemId)) {
              throw new EmbeddingsError(status.INTERNAL, 'INTERNAL', 'itemId', `The response for item '${answer.itemId}' is out of order.`);
            }
            attempt = 1;
            watch.waiting = false;
            yield answer;
            watch.waiting = true;
          }
        }
        await writing;
        if (pump.failure === undefined && (!pump.exhausted || pump.unanswered > 0)) {
          throw new EmbeddingsError(status.INTERNAL, 'INTERNAL', '', `The server ended the stream with ${pump.unanswered} items unanswered.`);
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
        if (pump.unanswered > 0) {
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

/** Wakes up those who wait. */
class Signal {
  private promise: Promise<void> | undefined;
  private resolve = (): void => {};

  wait(): Promise<void> {
    return (this.promise ??= new Promise((resolve) => (this.resolve = resolve)));
  }

  wake(): void {
    this.promise = undefined;
    this.resolve();
  }
}

/** A serialized request. */
interface Item {
  id: string;
  data: Buffer;
}

/** Packs requests from the source into the messages of one call after another, and keeps the unanswered ones. */
class Pump<Request extends Named> {
  exhausted = false;
  failure: unknown;
  private readonly iterator: Iterator<Request> | AsyncIterator<Request>;
  private readonly maxItems: number;
  // Unanswered requests, in order: those sent on the current call, then those that wait for their message, the first of them
  // since the time `since`.
  private readonly sent: Item[] = [];
  private readonly waiting: Item[] = [];
  private waitingBytes = 0;
  private since = 0;
  private current: unknown;
  private reading = false;
  private closed = false;
  // A message may be complete; there may be room to read.
  private readonly ready = new Signal();
  private readonly room = new Signal();

  constructor(
    source: Source<Request>,
    private readonly method: StreamMethod<Request, unknown>,
    private readonly options: StreamOptions,
  ) {
    this.iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    // Several messages are in flight, so that the server always has one to work on.
    this.maxItems = Math.min(options.maxItemsPerMessage, Math.max(1, Math.floor(options.maxInFlight / 4)));
  }

  /** Number of unanswered requests. */
  get unanswered(): number {
    return this.sent.length + this.waiting.length;
  }

  /** The oldest unanswered request. */
  get oldest(): unknown {
    return this.sent[0] ?? this.waiting[0];
  }

  /** Waits for a request to send and returns whether there is one. Used between connections. */
  async hasWork(): Promise<boolean> {
    if (!this.reading) {
      this.reading = true;
      void this.read();
    }
    while (this.unanswered === 0 && !this.exhausted) {
      await this.ready.wait();
    }
    return this.unanswered > 0 && this.failure === undefined;
  }

  async feed(call: ClientDuplexStream<Buffer, unknown>): Promise<void> {
    this.current = call;
    this.waitingBytes += this.sent.reduce((sum, item) => sum + item.data.length, 0);
    this.waiting.unshift(...this.sent.splice(0));
    while (this.current === call && this.failure === undefined && (this.waiting.length > 0 || !this.exhausted)) {
      if (this.isComplete()) {
        await this.write(call, this.message());
      } else {
        await this.more();
      }
    }
    if (this.failure !== undefined) {
      call.cancel();
    } else if (this.current === call) {
      call.end();
    }
  }

  /** Marks the oldest unanswered request as answered and returns whether it was sent and has this id. */
  take(id: string): boolean {
    if (this.sent[0]?.id !== id) {
      return false;
    }
    this.sent.shift();
    if (this.sent.length === 0) {
      this.ready.wake();
    }
    this.room.wake();
    return true;
  }

  stop(call: unknown): void {
    if (this.current === call) {
      this.current = undefined;
    }
    this.ready.wake();
  }

  close(): void {
    this.closed = true;
    this.room.wake();
    if (!this.exhausted) {
      // Not awaited: a source that hangs must not block its reader.
      void Promise.resolve(this.iterator.return?.()).catch(() => {});
    }
  }

  /** Reads the source, at most one message ahead, so that a slow server slows it down. */
  private async read(): Promise<void> {
    try {
      while (!this.closed) {
        if (this.waiting.length >= this.maxItems || this.waitingBytes >= this.options.maxBytesPerMessage || this.unanswered >= this.options.maxInFlight) {
          await this.room.wait();
          continue;
        }
        const result = await this.iterator.next();
        if (result.done) {
          break;
        }
        this.add({ id: result.value.itemId ?? '', data: this.method.serialize(result.value) });
      }
    } catch (error) {
      this.failure = error ?? new Error('The source failed.');
    }
    this.exhausted = true;
    this.ready.wake();
  }

  private add(item: Item): void {
    if (this.waiting.length === 0) {
      this.since = performance.now();
    }
    this.waiting.push(item);
    this.waitingBytes += item.data.length;
    // The first request starts the delay.
    if (this.waiting.length === 1 || this.isComplete()) {
      this.ready.wake();
    }
  }

  /** Whether the waiting requests are sent now. */
  private isComplete(): boolean {
    return (
      this.waiting.length > 0 &&
      // As in Nagle's algorithm: while requests are unanswered, a response will come in any case.
      (this.sent.length === 0 ||
        this.waiting.length >= this.maxItems ||
        this.waitingBytes >= this.options.maxBytesPerMessage ||
        this.unanswered >= this.options.maxInFlight ||
        this.exhausted ||
        performance.now() >= this.since + this.options.batchDelayMs)
    );
  }

  /** Waits until a message may be complete. */
  private async more(): Promise<void> {
    const left = this.since + this.options.batchDelayMs - performance.now();
    const timer = this.waiting.length > 0 ? setTimeout(() => this.ready.wake(), Math.max(1, Math.ceil(left))) : undefined;
    await this.ready.wait();
    clearTimeout(timer);
  }

  /** Takes the requests of the next message. A single one is sent in the single form, which servers of an earlier version understand. */
  private message(): Buffer {
    let count = 0;
    let bytes = 0;
    for (const { data } of this.waiting) {
      if (count === this.maxItems || (count > 0 && bytes + data.length > this.options.maxBytesPerMessage)) {
        break;
      }
      count++;
      bytes += data.length;
    }
    const items = this.waiting.splice(0, count);
    this.sent.push(...items);
    this.waitingBytes -= bytes;
    this.since = performance.now();
    this.room.wake();
    if (items.length === 1) {
      return items[0]!.data;
    }
    const writer = protobuf.Writer.create();
    // Wire type 2: length-delimited.
    items.forEach(({ data }) => writer.uint32((this.method.itemsField << 3) | 2).bytes(data));
    return writer.finish() as Buffer;
  }

  private async write(call: ClientDuplexStream<Buffer, unknown>, message: Buffer): Promise<void> {
    if (this.current === call && !call.write(message)) {
      const gone = new AbortController();
      const end = (): void => gone.abort();
      call.once('close', end).once('end', end);
      await once(call, 'drain', { signal: gone.signal }).catch(() => {});
      call.off('close', end).off('end', end);
    }
  }
}

/** Cancels a call if a response is overdue. Time in which the source or the reader is slow does not count. */
function watchOver(call: { cancel(): void }, pump: { readonly oldest: unknown }, timeoutMs: number) {
  const watch = { waiting: true, fired: false, stop: () => clearInterval(timer) };
  const step = Math.max(1, Math.min(timeoutMs / 10, 1000));
  let first: unknown;
  let since = Date.now();
  const timer = setInterval(() => {
    if (!watch.waiting || pump.oldest !== first || first === undefined) {
      first = pump.oldest;
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
