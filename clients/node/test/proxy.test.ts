// Tests of streams through HAProxy.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { EmbeddingsClient, protos, type StreamIngestRequest } from '../src/index.js';

type Request = { itemId: string; items: Request[] };
type Call = ServerDuplexStream<Request, { itemId: string; ack: { pointId: string } }>;

// Not on the PATH of every user.
const haproxy = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'].map((folder) => join(folder, 'haproxy')).find(existsSync);
const options = { skip: haproxy === undefined ? 'haproxy is not installed' : false };

/** The items of a message of either form. */
const itemsOf = (message: Request): Request[] => (message.items.length > 0 ? message.items : [message]);

/** Starts a server and, in front of it, a proxy that ends a stream that is idle for half a second, without trailers. */
async function behindProxy(t: TestContext, handler: (call: Call, number: number) => void): Promise<EmbeddingsClient> {
  const server = new Server();
  let calls = 0;
  server.addService(protos.embeddings.v1.IngestService.service, { StreamIngest: (call: Call) => handler(call, ++calls) });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  t.after(() => server.forceShutdown());
  const folder = mkdtempSync(join(tmpdir(), 'embeddings-proxy-'));
  const configuration = join(folder, 'haproxy.cfg');
  writeFileSync(
    configuration,
    `defaults
  mode http
  timeout connect 5s
  timeout client 500ms
  timeout server 500ms
listen embeddings
  bind fd@3 proto h2
  server embeddings 127.0.0.1:${port} proto h2
`,
  );
  // The proxy inherits the socket, which queues connections until the proxy is ready.
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port: front } = listener.address() as AddressInfo;
  const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
  const proxy = spawn(haproxy as string, ['-db', '-q', '-f', configuration], { stdio: ['ignore', 'inherit', 'inherit', fd] });
  listener.close();
  const client = new EmbeddingsClient(`http://127.0.0.1:${front}`, { timeoutMs: 20_000 });
  t.after(async () => {
    client.close();
    proxy.kill('SIGKILL');
    await once(proxy, 'exit');
    rmSync(folder, { recursive: true });
  });
  return client;
}

const ack = (itemId: string) => ({ itemId, ack: { pointId: itemId } });
const item = (at: number): StreamIngestRequest => ({ itemId: `${at}`, image: { jobId: `${at}`, image: { encoded: Buffer.alloc(1) } } });
const expected = (count: number) => Array.from({ length: count }, (_, at) => `${at}`);

async function all(client: EmbeddingsClient, source: Parameters<EmbeddingsClient['streamIngest']>[0]): Promise<string[]> {
  const ids: string[] = [];
  for await (const answer of client.streamIngest(source)) {
    ids.push(answer.itemId);
  }
  return ids;
}

test('a source that pauses longer than the proxy waits loses no item', options, async (t) => {
  let calls = 0;
  const client = await behindProxy(t, (call, number) => {
    calls = number;
    call.on('error', () => {});
    call.on('data', (message) => itemsOf(message).forEach(({ itemId }) => call.write(ack(itemId)))).on('end', () => call.end());
  });
  async function* pausing() {
    for (let at = 0; at < 30; at++) {
      if (at % 10 === 5) {
        await sleep(1200);
      }
      yield item(at);
    }
  }
  assert.deepEqual(await all(client, pausing()), expected(30));
  assert.ok(calls > 1, 'the proxy did not end the stream');
});

test('items without an answer when the proxy ends the stream are sent again', options, async (t) => {
  let calls = 0;
  const client = await behindProxy(t, (call, number) => {
    calls = number;
    let seen = 0;
    call.on('error', () => {});
    call.on('data', (message) => {
      for (const { itemId } of itemsOf(message)) {
        if (number > 2 || ++seen <= 7) {
          call.write(ack(itemId));
        }
      }
    });
    call.on('end', () => number > 2 && call.end());
  });
  assert.deepEqual(await all(client, Array.from({ length: 20 }, (_, at) => item(at))), expected(20));
  assert.equal(calls, 3);
});
