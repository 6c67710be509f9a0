// Tests against a server with scripted responses.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { EmbeddingsClient, type ClientOptions, EmbeddingsError, fromBytes, protos, type StreamIngestRequest, toBytes, vectorOf } from '../src/index.js';

type Request = { itemId: string; items: Request[] };
type Response = { itemId?: string; ack?: { pointId: string }; error?: { reason: string }; items?: Response[] };
type Call = ServerDuplexStream<Request, Response>;

async function against(t: TestContext, handler: (call: Call, number: number) => void, options: ClientOptions = {}): Promise<EmbeddingsClient> {
  const server = new Server();
  let calls = 0;
  server.addService(protos.embeddings.v1.IngestService.service, { StreamIngest: (call: Call) => handler(call, calls++) });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  const client = new EmbeddingsClient(`http://127.0.0.1:${port}`, { timeoutMs: 10_000, ...options });
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  return client;
}

const ack = (itemId: string) => ({ itemId, ack: { pointId: itemId } });
const item = (name: string, size = 100_000): StreamIngestRequest => ({ itemId: name, image: { jobId: name, image: { encoded: Buffer.alloc(size) } } });
const small = (name: string): StreamIngestRequest => item(name, 10);
const named = (count: number): string[] => Array.from({ length: count }, (_, at) => `${at}`);
/** The items of a message of either form. */
const itemsOf = (message: Request): Request[] => (message.items.length > 0 ? message.items : [message]);
const ackAll = (message: Request): Response => (message.items.length > 0 ? { items: message.items.map(({ itemId }) => ack(itemId)) } : ack(message.itemId));
const answering = (call: Call, answer: (message: Request) => Response) => call.on('data', (message) => call.write(answer(message))).on('end', () => call.end());
const echo = (call: Call) => answering(call, ackAll);

async function all(client: EmbeddingsClient, source: Parameters<EmbeddingsClient['streamIngest']>[0]): Promise<string[]> {
  const ids: string[] = [];
  for await (const answer of client.streamIngest(source)) {
    ids.push(answer.itemId);
  }
  return ids;
}

test('all responses arrive in order', async (t) => {
  const names = Array.from({ length: 1500 }, (_, at) => `${at}`);
  assert.deepEqual(await all(await against(t, echo, { maxInFlight: 16 }), names.map((name) => item(name))), names);
});

test('after a broken connection, no item is lost or duplicated', async (t) => {
  const names = Array.from({ length: 60 }, (_, at) => `${at}`);
  const client = await against(t, (call, number) => {
    if (number >= 3) {
      return echo(call);
    }
    let seen = 0;
    call.on('error', () => {});
    call.on('data', (message) => {
      for (const { itemId } of itemsOf(message)) {
        if (++seen < 10) {
          call.write(ack(itemId));
        } else if (seen === 10) {
          call.emit('error', { code: status.UNAVAILABLE, details: 'away' });
        }
      }
    });
  });
  // In messages of several items, within which the connection breaks.
  assert.deepEqual(await all(client, names.map(small)), names);
});

test('a stream that the server did not end itself is resumed', async (t) => {
  const names = Array.from({ length: 20 }, (_, at) => `${at}`);
  for (const code of [status.UNAVAILABLE, status.CANCELLED, status.INTERNAL, status.UNKNOWN]) {
    let calls = 0;
    const client = await against(t, (call, number) => {
      calls++;
      if (number >= 2) {
        return echo(call);
      }
      call.on('error', () => {});
      call.once('data', (request) => {
        call.write(ackAll(request));
        call.emit('error', { code, details: 'time limit' });
      });
    });
    assert.deepEqual(await all(client, names.map((name) => item(name))), names);
    assert.equal(calls, 3);
  }
});

test('an end that the server states itself is final', async (t) => {
  let calls = 0;
  const client = await against(t, (call) => {
    calls++;
    const metadata = new Metadata();
    // google.rpc.Status with ErrorInfo { reason: "INTERNAL" }.
    const info = Buffer.concat([Buffer.from([0x0a, 8]), Buffer.from('INTERNAL')]);
    const url = Buffer.from('type.googleapis.com/google.rpc.ErrorInfo');
    const any = Buffer.concat([Buffer.from([0x0a, url.length]), url, Buffer.from([0x12, info.length]), info]);
    metadata.set('grpc-status-details-bin', Buffer.concat([Buffer.from([0x08, 13, 0x1a, any.length]), any]));
    call.on('error', () => {});
    call.emit('error', { code: status.INTERNAL, details: 'bug', metadata });
  });
  await assert.rejects(all(client, [item('a')]), (error) => error instanceof EmbeddingsError && error.reason === 'INTERNAL');
  assert.equal(calls, 1);
});

test('an idle source does not use up attempts', async (t) => {
  let calls = 0;
  const client = await against(
    t,
    (call) => {
      calls++;
      call.on('error', () => {});
      call.once('data', (request) => {
        call.write(ack(request.itemId));
        call.emit('error', { code: status.CANCELLED, details: 'time limit' });
      });
    },
    { attempts: 2 },
  );
  let answered = (): void => {};
  async function* slow() {
    for (let at = 0; at < 12; at++) {
      const answer = new Promise<void>((resolve) => (answered = resolve));
      yield item(`${at}`);
      await answer;
    }
  }
  const ids: string[] = [];
  for await (const answer of client.streamIngest(slow())) {
    ids.push(answer.itemId);
    answered();
  }
  assert.deepEqual(ids, Array.from({ length: 12 }, (_, at) => `${at}`));
  assert.ok(calls >= 6, `${calls} calls`);
});

test('a closed client ends its streams', async (t) => {
  const client = await against(t, echo);
  async function* items() {
    yield item('a');
    client.close();
    yield item('b');
    await new Promise(() => {});
  }
  await assert.rejects(all(client, items()), (error) => error instanceof EmbeddingsError && error.code === status.CANCELLED);
});

test('an unreachable server is an error', async () => {
  const client = new EmbeddingsClient('http://127.0.0.1:1', { attempts: 2 });
  await assert.rejects(all(client, [item('a')]), (error) => error instanceof EmbeddingsError && error.code === status.UNAVAILABLE);
  client.close();
});

test('a silent server times out', async (t) => {
  const client = await against(t, (call) => call.resume(), { timeoutMs: 300 });
  await assert.rejects(all(client, [item('a')]), (error) => error instanceof EmbeddingsError && error.code === status.DEADLINE_EXCEEDED);
});

test('responses that are out of order or missing are errors', async (t) => {
  const swapped = await against(t, (call) => call.once('data', () => call.write(ack('b'))));
  await assert.rejects(all(swapped, [item('a'), item('b')]), /out of order/);
  const short = await against(t, (call) => call.resume().on('end', () => call.end()));
  await assert.rejects(all(short, [item('a')]), /1 items unanswered/);
});

test('exceptions of the source are rethrown unchanged', async (t) => {
  const client = await against(t, echo);
  async function* broken() {
    yield item('a');
    await sleep(10);
    throw new RangeError('lost');
  }
  await assert.rejects(all(client, broken()), RangeError);
});

test('a source is read only as fast as the server reads', async (t) => {
  let read = 0;
  function* many() {
    for (; read < 2000; read++) {
      yield item(`${read}`);
    }
  }
  // Without backpressure, 200 MB would be read at once.
  const client = await against(t, (call) => setTimeout(() => echo(call), 500), { maxInFlight: 10_000 });
  for await (const answer of client.streamIngest(many())) {
    assert.equal(answer.itemId, '0');
    break;
  }
  assert.ok(read < 1000, `${read} were read`);
});

test('items that wait are sent in one message', async (t) => {
  const sizes: number[] = [];
  const client = await against(t, (call) => answering(call, (message) => (sizes.push(message.items.length), ackAll(message))), { batchDelayMs: 1000 });
  assert.deepEqual(await all(client, named(1000).map(small)), named(1000));
  assert.equal(Math.max(...sizes), 64);
  assert.ok(sizes.length < 100, `${sizes.length} messages`);
});

test('a single item is sent in the single form', async (t) => {
  const messages: Request[] = [];
  const client = await against(t, (call) => answering(call, (message) => (messages.push(message), ackAll(message))), { batchDelayMs: 1000 });
  let answered = (): void => {};
  async function* slow() {
    for (const name of named(5)) {
      const answer = new Promise<void>((resolve) => (answered = resolve));
      yield small(name);
      await answer;
    }
  }
  for await (const _ of client.streamIngest(slow())) {
    answered();
  }
  assert.deepEqual(messages.map(({ itemId, items }) => [itemId, items.length]), named(5).map((name) => [name, 0]));
});

test('messages keep their bounds', async (t) => {
  const messages: Request[] = [];
  const noting = (call: Call) => answering(call, (message) => (messages.push(message), ackAll(message)));
  const most = () => Math.max(...messages.map(({ items }) => items.length));
  // 15 items of about 1,020 bytes.
  let client = await against(t, noting, { maxItemsPerMessage: 1000, maxBytesPerMessage: 15_800, batchDelayMs: 1000 });
  await all(client, named(100).map((name) => item(name, 1000)));
  assert.equal(most(), 15);
  // Items that are larger are sent alone.
  messages.length = 0;
  await all(client, named(5).map((name) => item(name, 20_000)));
  assert.equal(messages.length, 5);
  // A quarter of the window, so that several messages are in flight.
  messages.length = 0;
  client = await against(t, noting, { maxInFlight: 40, batchDelayMs: 1000 });
  await all(client, named(200).map(small));
  assert.equal(most(), 10);
  messages.length = 0;
  client = await against(t, noting, { maxItemsPerMessage: 1 });
  await all(client, named(200).map(small));
  assert.equal(most(), 0);
  assert.equal(messages.length, 200);
});

test('an item waits no longer than the delay', async (t) => {
  let received = (): void => {};
  const second = new Promise<void>((resolve) => (received = resolve));
  const client = await against(t, (call) => {
    const unanswered: string[] = [];
    call.on('data', (message) => {
      unanswered.push(...itemsOf(message).map(({ itemId }) => itemId));
      if (unanswered.length === 2) {
        received();
        call.write({ items: unanswered.map(ack) });
      }
    });
    call.on('end', () => call.end());
  });
  async function* paused() {
    yield small('0');
    yield small('1');
    // No further item pushes the second one.
    await second;
  }
  assert.deepEqual(await all(client, paused()), ['0', '1']);
});

test('results can come in several messages, with errors in their place', async (t) => {
  const client = await against(t, (call) => {
    call.on('data', (message) => {
      const results = itemsOf(message).map(({ itemId }): Response => (itemId === '150' ? { itemId, error: { reason: 'IMAGE_EMPTY' } } : ack(itemId)));
      while (results.length > 0) {
        call.write({ items: results.splice(0, 7) });
      }
    });
    call.on('end', () => call.end());
  });
  const answers: string[] = [];
  for await (const answer of client.streamIngest(named(300).map(small))) {
    answers.push(answer.error ? 'error' : answer.itemId);
  }
  assert.deepEqual(answers, named(300).map((name) => (name === '150' ? 'error' : name)));
});

test('more results than items are an error', async (t) => {
  const client = await against(t, (call) => answering(call, ({ itemId }) => ({ items: [ack(itemId), ack(itemId)] })));
  await assert.rejects(all(client, [small('a')]), /out of order/);
});

test('a server of an earlier version needs messages of one item', async (t) => {
  // It ignores the unknown items and sees an empty one.
  const old = (call: Call) => answering(call, ({ itemId }) => (itemId ? ack(itemId) : { error: { reason: 'FIELD_REQUIRED' } }));
  await assert.rejects(all(await against(t, old), named(100).map(small)), /out of order/);
  assert.deepEqual(await all(await against(t, old, { maxItemsPerMessage: 1 }), named(100).map(small)), named(100));
});

test('an item that cannot be serialized is an error of the source', async (t) => {
  const client = await against(t, echo);
  await assert.rejects(all(client, [{ itemId: 'a', image: 'no item' } as unknown as StreamIngestRequest]), TypeError);
});

test('options have limits', () => {
  for (const options of [{ maxItemsPerMessage: 0 }, { maxItemsPerMessage: 1001 }, { maxBytesPerMessage: 0 }, { batchDelayMs: 1001 }, { batchDelayMs: NaN }, { maxInFlight: 0 }]) {
    assert.throws(() => new EmbeddingsClient('http://127.0.0.1:1', options), { name: 'TypeError', message: /must be/ });
  }
});

test('vectors as bytes', () => {
  const vector = Float32Array.from([0.1, -2.5, 1e-30, 3.4e38]);
  const data = toBytes(vector);
  assert.equal(data.toString('hex', 0, 4), 'cdcccc3d');
  assert.deepEqual(toBytes([...vector]), data);
  // At any offset.
  assert.deepEqual(fromBytes(Buffer.concat([Buffer.alloc(3), data]).subarray(3)), vector);
  for (const message of [{ values: [...vector] }, { values: [], valuesF32: data }, { vector: [...vector], vectorF32: Buffer.alloc(0) }, { vector: [], vectorF32: data }]) {
    assert.deepEqual(vectorOf(message), vector);
  }
  assert.throws(() => fromBytes(data.subarray(1)), RangeError);
});
