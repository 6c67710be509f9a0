// Tests of TLS options and API keys. The interop step `secure` tests them over TLS.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Metadata, type sendUnaryData, Server, ServerCredentials, type ServerDuplexStream, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import { type ClientOptions, EmbeddingsClient, protos } from '../src/index.js';
import { isLoopback } from '../src/security.js';

type Ingest = ServerDuplexStream<{ itemId: string; items: { itemId: string }[] }, unknown>;

for (const name of ['CA', 'CLIENT_CERT', 'CLIENT_KEY', 'API_KEY']) {
  delete process.env[`EMBEDDINGS_${name}`];
}

function setEnvironment(t: TestContext, name: string, value: string): void {
  process.env[name] = value;
  t.after(() => delete process.env[name]);
}

/** Starts a server that notes the values of `authorization`. */
async function serve(t: TestContext): Promise<{ url: string; values: string[] }> {
  const values: string[] = [];
  const note = (call: { metadata: Metadata }) => values.push(call.metadata.get('authorization').join());
  const server = new Server();
  server.addService(protos.embeddings.v1.IngestService.service, {
    StreamIngest(call: Ingest) {
      note(call);
      const ack = ({ itemId }: { itemId: string }) => ({ itemId, ack: { pointId: itemId } });
      call.on('data', (message) => call.write(message.items.length > 0 ? { items: message.items.map(ack) } : ack(message))).on('end', () => call.end());
    },
  });
  server.addService(protos.embeddings.v1.PersonService.service, {
    ListPersons(call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) {
      note(call);
      answer(null, { unnamedCount: 7 });
    },
    ClusterFaces(call: ServerWritableStream<unknown, unknown>) {
      note(call);
      call.write({ summary: { personCount: 1 } });
      call.end();
    },
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  t.after(() => server.forceShutdown());
  return { url: `http://127.0.0.1:${port}`, values };
}

/** Makes a unary call, one with a stream of responses, and one with streams of both. */
async function callAll(t: TestContext, url: string, options: ClientOptions = {}): Promise<void> {
  const client = new EmbeddingsClient(url, { timeoutMs: 10_000, maxInFlight: 16, ...options });
  t.after(() => client.close());
  assert.equal((await client.call(client.persons, client.persons.listPersons, {})).unnamedCount, 7);
  for await (const message of client.clusterFaces({})) {
    assert.equal(message.summary?.personCount, 1);
  }
  const names = Array.from({ length: 200 }, (_, at) => `${at}`);
  const answered: string[] = [];
  for await (const answer of client.streamIngest(names.map((itemId) => ({ itemId, image: { jobId: itemId, image: { encoded: Buffer.alloc(100_000) } } })))) {
    answered.push(answer.itemId);
  }
  assert.deepEqual(answered, names);
}

test('the key is sent with every kind of call', async (t) => {
  const { url, values } = await serve(t);
  await callAll(t, url, { apiKey: 'emb_secret' });
  assert.deepEqual(values, Array(3).fill('Bearer emb_secret'));
});

test('the key of the environment is the default', async (t) => {
  const { url, values } = await serve(t);
  setEnvironment(t, 'EMBEDDINGS_API_KEY', 'emb_environment');
  await callAll(t, url);
  await callAll(t, url, { apiKey: '' });
  assert.deepEqual(values, [...Array(3).fill('Bearer emb_environment'), ...Array(3).fill('')]);
});

test('a proxy gets no key for this machine', async (t) => {
  setEnvironment(t, 'grpc_proxy', 'http://127.0.0.1:1');
  const { url, values } = await serve(t);
  await callAll(t, url, { apiKey: 'emb_secret' });
  assert.equal(values.length, 3);
});

test('a key without TLS is only for this machine', () => {
  for (const url of ['http://embeddings.example.com:50051', '10.0.0.1:50051', 'http://127.0.0.1.example.com', 'http://127.0.0.1@example.com', 'http://[::2]:1']) {
    assert.throws(
      () => new EmbeddingsClient(url, { apiKey: 'emb_secret' }),
      (error: Error) => error instanceof TypeError && error.message.startsWith('apiKey requires') && !error.message.includes('emb_secret'),
      url,
    );
  }
  for (const url of ['https://embeddings.example.com', 'http://localhost', 'http://LOCALHOST:1', 'http://127.0.0.1:1', 'http://127.1.2.3', 'http://[::1]:1']) {
    new EmbeddingsClient(url, { apiKey: 'emb_secret' }).close();
  }
  for (const host of ['', 'localhost.example.com', '127.1', '0.0.0.0', '::', '::2', 'example.com']) {
    assert.equal(isLoopback(host), false, host);
  }
});

test('a key with other characters is refused', () => {
  for (const apiKey of [' ', 'a b', 'a\n', 'k\u00e9y']) {
    assert.throws(() => new EmbeddingsClient('https://localhost', { apiKey }), /printable ASCII/);
  }
});

test('files need TLS, and those that cannot be used are refused', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'embeddings-security-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const text = join(folder, 'text.pem');
  writeFileSync(text, 'text');
  const missing = join(folder, 'missing.pem');
  const refuses = (url: string, options: ClientOptions, message: RegExp) => assert.throws(() => new EmbeddingsClient(url, options), { name: 'TypeError', message });
  for (const name of ['ca', 'clientCert', 'clientKey']) {
    refuses('http://localhost', { [name]: text }, new RegExp(`^${name} requires a URL that starts with https://`));
  }
  refuses('https://localhost', { ca: missing }, /^ca '.*missing.pem' cannot be read/);
  refuses('https://localhost', { ca: text }, /^ca must contain a certificate/);
  refuses('https://localhost', { clientCert: missing }, /^clientCert '.*missing.pem' cannot be read/);
  refuses('https://localhost', { clientKey: text }, /^clientKey requires clientCert/);
  refuses('https://localhost', { clientCert: text, clientKey: text }, /cannot be used/);

  // Files of the environment are for servers with TLS.
  setEnvironment(t, 'EMBEDDINGS_CA', missing);
  new EmbeddingsClient('http://localhost').close();
  refuses('https://localhost', {}, /^ca '/);
  new EmbeddingsClient('https://localhost', { ca: '' }).close();
});
