// Runs the step `secure` described in clients/README.md.
// Usage: secure.js HOST:PORT FOLDER
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClientOptions, EmbeddingsClient, EmbeddingsError, status, type StreamIngestRequest } from '../src/index.js';

const [address, folder] = process.argv.slice(2) as [string, string];
const items = 20;
const ca = join(folder, 'ca.pem');
const key = (name: string) => readFileSync(join(folder, name), 'utf8').trim();

async function connected<T>(options: ClientOptions, use: (client: EmbeddingsClient) => Promise<T>): Promise<T> {
  const client = new EmbeddingsClient(`https://${address}`, options);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

async function listModels(client: EmbeddingsClient): Promise<void> {
  const { models } = await client.call(client.models, client.models.listModels, {});
  expect(models.length > 0, 'no models');
}

function crop(number: number): Buffer {
  return Buffer.from(Array.from({ length: 112 * 112 * 3 }, (_, at) => (7 * (Math.floor(at / 3) % 112) + 13 * Math.floor(at / 336) + 31 * (at % 3) + 17 * number) % 256));
}

function* requests(collection: string): Generator<StreamIngestRequest> {
  for (let number = 0; number < items; number++) {
    const image = { pixels: { width: 112, height: 112, format: 'PIXEL_FORMAT_RGB8' as const, data: crop(number) } };
    yield { itemId: `${number}`, collection, face: { jobId: 'secure-node', faceIndex: number, face: { image } } };
  }
}

/** Ingests 20 crops; returns the outcomes, each 'ack' or the code and the reason of the error, without repetitions. */
async function ingest(client: EmbeddingsClient, collection = 'interop_node_secure'): Promise<string> {
  const outcomes: string[] = [];
  for await (const answer of client.streamIngest(requests(collection))) {
    outcomes.push(answer.error ? `${status[answer.error.code]} ${answer.error.reason}` : 'ack');
  }
  expect(outcomes.length === items, `${outcomes.length} answers`);
  return [...new Set(outcomes)].join();
}

async function fails(options: ClientOptions, use: (client: EmbeddingsClient) => Promise<unknown>, code: status, reason: string): Promise<EmbeddingsError> {
  const error = await connected(options, use).then(
    () => 'no error',
    (e: unknown) => e,
  );
  expect(error instanceof EmbeddingsError && error.code === code && error.reason === reason, `got ${error} instead of ${reason || status[code]}`);
  return error as EmbeddingsError;
}

const steps: Record<string, () => Promise<void>> = {
  async key() {
    await connected({ ca, apiKey: key('key.txt') }, async (client) => {
      await listModels(client);
      const outcome = await ingest(client);
      expect(outcome === 'ack', `outcomes are ${outcome}`);
      // Collections are checked for each item.
      const denied = await ingest(client, 'other_node');
      expect(denied === 'PERMISSION_DENIED COLLECTION_DENIED', `another collection gives ${denied}`);
    });
  },
  async noKey() {
    await fails({ ca }, listModels, status.UNAUTHENTICATED, 'KEY_MISSING');
    await fails({ ca }, ingest, status.UNAUTHENTICATED, 'KEY_MISSING');
  },
  async wrongKey() {
    await fails({ ca, apiKey: key('wrong-key.txt') }, listModels, status.UNAUTHENTICATED, 'KEY_INVALID');
  },
  async readKey() {
    const options = { ca, apiKey: key('read-key.txt') };
    await connected(options, listModels);
    await fails(options, ingest, status.PERMISSION_DENIED, 'ACCESS_DENIED');
  },
  async certificate() {
    await connected({ ca, clientCert: join(folder, 'client.pem'), clientKey: join(folder, 'client.key') }, async (client) => {
      await listModels(client);
      const outcome = await ingest(client);
      expect(outcome === 'ack', `outcomes are ${outcome}`);
    });
  },
  async noCa() {
    const error = await fails({ apiKey: key('key.txt') }, listModels, status.UNAVAILABLE, '');
    expect(/certificate/i.test(error.message), `the message is '${error.message}'`);
  },
  async clearText() {
    let message = 'no error';
    try {
      new EmbeddingsClient('http://embeddings.example.com:50051', { apiKey: 'secret-key' });
    } catch (error) {
      message = `${error}`;
    }
    expect(message.startsWith('TypeError: apiKey requires') && !message.includes('secret-key'), `the message is '${message}'`);
  },
};

function expect(holds: boolean, otherwise: string): void {
  if (!holds) {
    throw new Error(otherwise);
  }
}

let failed = false;
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
  } catch (error) {
    console.log(`FAILED secure ${name}: ${error}`.replaceAll('\n', ' '));
    failed = true;
    break;
  }
}
if (!failed) {
  console.log('ok secure');
}
process.exitCode = failed ? 1 : 0;
