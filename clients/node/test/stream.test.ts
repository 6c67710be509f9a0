// Tests against a server with scripted responses.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import { EmbeddingsClient, type ClientOptions, EmbeddingsError, protos, type StreamIngestRequest } from '../src/index.js';

type Call = ServerDuplexStream<{ itemId: string }, { itemId: string; ack: { pointId: string } }>;

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
const item = (name: string): StreamIngestRequest => ({ itemId: name, image: { jobId: name, image: { encoded: Buffer.alloc(100_000) } } });
const echo = (call: Call) => call.on('data', (request) => call.write(ack(request.itemId))).on('end', () => call.end());

async function all(client: EmbeddingsClient, source: Parameters<EmbeddingsClient['streamIngest']>[0]): Promise<string[]> {
  const ids: string[] = [];
  for await (const answer of client.streamIngest(source)) {
    ids.push(answer.itemId);
  }
  return ids;
}

test('all responses arrive in order', async (t) => {
  const names = Array.from({ length: 1500 }, (_, at) => `${at}`);
  assert.deepEqual(await all(await against(t, echo, { maxInFlight: 16 }), names.map(item)), names);
});

test('after a broken connection, no item is lost or duplicated', async (t) => {
  const names = Array.from({ length: 60 }, (_, at) => `${at}`);
  const client = await against(t, (call, number) => {
    if (number >= 3) {
      return echo(call);
    }
    let seen = 0;
    call.on('error', () => {});
    call.on('data', (request) => {
      if (++seen < 10) {
        call.write(ack(request.itemId));
      } else if (seen === 10) {
        call.emit('error', { code: status.UNAVAILABLE, details: 'away' });
      }
    });
  });
  assert.deepEqual(await all(client, names.map(item)), names);
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
        call.write(ack(request.itemId));
        call.emit('error', { code, details: 'time limit' });
      });
    });
    assert.deepEqual(await all(client, names.map(item)), names);
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
