// Runs the interop scenario described in clients/README.md.
// Usage: scenario.js HOST:PORT JPEG VECTORS.json
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EmbeddingsClient, EmbeddingsError, status, type StreamEmbedRequest, type StreamIngestRequest, type StreamUpsertVectorsRequest, toBytes, vectorOf } from '../src/index.js';

const [address, jpeg, output] = process.argv.slice(2) as [string, string, string];
const collection = 'interop_node';
const job = 'job-node';
const people = 'interop_node_people';
const photoJob = 'photo-node';
const crops = 2000;
const items = 300;

const client = new EmbeddingsClient(`http://${address}`, { timeoutMs: 60_000 });
const singles = new EmbeddingsClient(`http://${address}`, { timeoutMs: 60_000, maxItemsPerMessage: 1 });
let messages = 0;
[client, singles].forEach(countMessages);
const vectors: Record<string, number[]> = {};
let query: number[] = [];
let embedded: number[][] = [];
const counts: number[] = [];

function crop(number: number): Buffer {
  const data = Buffer.allocUnsafe(112 * 112 * 3);
  let at = 0;
  for (let y = 0; y < 112; y++) {
    for (let x = 0; x < 112; x++) {
      for (let c = 0; c < 3; c++) {
        data[at++] = (7 * x + 13 * y + 31 * c + 17 * number) % 256;
      }
    }
  }
  return data;
}

/** Counts the messages that a client sends in streams. */
function countMessages({ embedding, ingest, store }: EmbeddingsClient): void {
  for (const service of [embedding, ingest, store]) {
    const open = service.makeBidiStreamRequest.bind(service) as (...options: unknown[]) => { write(...message: unknown[]): boolean };
    const counted = (...options: unknown[]) => {
      const call = open(...options);
      const write = call.write.bind(call);
      call.write = (...message) => (messages++, write(...message));
      return call;
    };
    Object.assign(service, { makeBidiStreamRequest: counted });
  }
}

/** Returns the number of messages since the last call. */
function sent(): number {
  const count = messages;
  messages = 0;
  return count;
}

// Two drawn faces, the left one larger, and the left one once more in another light.
const twoFaces = { encoded: readFileSync(join(dirname(jpeg), 'two-faces.jpg')) };
const oneFace = { encoded: readFileSync(join(dirname(jpeg), 'one-face.jpg')) };

const pixels = (data: Buffer) => ({ pixels: { width: 112, height: 112, format: 'PIXEL_FORMAT_RGB8' as const, data } });

function* embedRequests(count = crops, vectorsAsBytes = false): Generator<StreamEmbedRequest> {
  for (let number = 0; number < count; number++) {
    yield { itemId: `${number}`, face: { image: pixels(crop(number)) }, vectorsAsBytes };
  }
}

function* ingestRequests(): Generator<StreamIngestRequest> {
  for (let number = 0; number < items; number++) {
    const data = crop(number);
    const image = number === 250 ? { encoded: Buffer.from('not an image') } : pixels(number === 50 ? data.subarray(1) : data);
    const face = { jobId: number === 150 ? '' : job, mediaStoreId: `media-${number % 3}`, faceIndex: number, face: { image } };
    yield { itemId: `${number}`, collection, face };
  }
}

/** Stores vectors, of which one is invalid, and returns the stored ones and the number of messages. */
async function upsert(by: EmbeddingsClient, into: string): Promise<{ stored: string[]; sent: number }> {
  function* requests(): Generator<StreamUpsertVectorsRequest> {
    for (let number = 0; number < items; number++) {
      const vector = Array.from({ length: number === 100 ? 5 : 512 }, (_, at) => (((31 * number + 7 * at) % 101) - 50.5) / 100);
      yield { itemId: `${number}`, collection: into, point: { pointId: `p-${number}`, vectorF32: toBytes(vector), payload: { jobId: job } } };
    }
  }
  sent();
  const failed: string[] = [];
  for await (const answer of by.streamUpsertVectors(requests())) {
    if (answer.error) {
      failed.push(`${answer.itemId} ${answer.error.reason}`);
    }
  }
  expect(failed.join() === '100 DIMENSION_MISMATCH', `failed: ${failed}`);
  const { points } = await by.call(by.store, by.store.listVectors, { collection: into, pageSize: 1000, withVectors: true, vectorsAsBytes: true });
  const { deletedCount } = await by.call(by.store, by.store.deleteByJobId, { jobId: job, collection: into });
  expect(deletedCount === items - 1, `${deletedCount} deleted`);
  return { stored: points.map((point) => `${point.pointId} ${point.vectorF32.toString('hex')}`).sort(), sent: sent() };
}

const farthest = (a: number[], b: number[]) => a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0);
const count = async () => (await client.call(client.store, client.store.countVectors, { collection })).count;
const forget = async (jobId: string) => (await client.call(client.store, client.store.deleteByJobId, { jobId, collection })).deletedCount;

const steps: Record<string, () => Promise<void>> = {
  async health() {
    const answer = await client.call(client.health, client.health.check, {});
    expect(answer.status === 'SERVING', `status ${answer.status}`);
  },
  async models() {
    const { models } = await client.call(client.models, client.models.listModels, {});
    const embedding = models.filter((model) => model.dimension > 0);
    const defaults = embedding.filter((model) => model.defaultForKind).map((model) => `${model.kind} ${model.dimension}`).sort();
    expect(defaults.join() === 'MODEL_KIND_FACE 512,MODEL_KIND_IMAGE 512', `defaults are ${defaults}`);
  },
  async embed() {
    const answer = await client.call(client.embedding, client.embedding.embedImage, { image: { encoded: readFileSync(jpeg) } });
    const values = answer.embedding?.values ?? [];
    expect(values.length === 512 && values.every(Number.isFinite), `${values.length} values`);
    vectors.jpeg = values;
  },
  async stream() {
    const answers: number[][] = [];
    for await (const answer of client.streamEmbed(embedRequests())) {
      expect(answer.itemId === `${answers.length}` && answer.embedding?.values.length === 512, `answer ${answers.length} is ${answer.itemId}`);
      answers.push(answer.embedding!.values);
    }
    expect(answers.length === crops, `${answers.length} answers`);
    answers.forEach((vector, at) => {
      expect(Math.abs(Math.hypot(...vector) - 1) < 1e-5, `norm of ${at}`);
      expect(at < 256 || farthest(vector, answers[at - 256]!) < 1e-6, `the same crop gives a different vector: ${at}`);
      expect(at < 1 || farthest(vector, answers[at - 1]!) > 1e-6, `a different crop gives the same vector: ${at}`);
    });
    expect(sent() < crops / 2, 'the crops were not sent in messages of several');
    embedded = answers;
    query = vectors.crop = answers[100]!;
  },
  async ingest() {
    let acks = 0;
    let next = 0;
    const errors: string[] = [];
    for await (const answer of client.streamIngest(ingestRequests())) {
      expect(answer.itemId === `${next++}`, `answer ${next - 1} is ${answer.itemId}`);
      if (answer.error) {
        errors.push(`${answer.itemId} ${answer.error.code} ${answer.error.reason} ${answer.error.field}`);
      } else if (answer.ack) {
        acks++;
      }
    }
    expect(acks === items - 3, `${acks} acks`);
    const wanted = [
      '50 3 PIXEL_SIZE_MISMATCH face.face.image.pixels.data',
      '150 3 FIELD_REQUIRED face.job_id',
      '250 3 IMAGE_FORMAT_UNKNOWN face.face.image.encoded',
    ];
    expect(errors.join() === wanted.join(), `errors are ${errors}`);
    expect(sent() < items / 2, 'the items were not sent in messages of several');
    const item = { jobId: 'other-node', face: { image: pixels(crop(1)) } };
    await client.call(client.ingest, client.ingest.ingestFace, { item, collection });
    counts.push(await count());
  },
  async batches() {
    // The same results as with messages of one item, bit for bit; vectors as bytes are the same as numbers.
    sent();
    let at = 0;
    for await (const answer of singles.streamEmbed(embedRequests(items, true))) {
      expect(toBytes(vectorOf(answer.embedding!)).equals(toBytes(embedded[at++]!)), `vector ${at - 1} differs`);
    }
    expect(at === items && sent() === items, `${at} answers`);
    const [several, single] = [await upsert(client, 'interop_node_batches'), await upsert(singles, 'interop_node_singles')];
    expect(several.sent < items / 2 && single.sent === items, `${several.sent} and ${single.sent} messages`);
    expect(several.stored.length === items - 1 && several.stored.join() === single.stored.join(), 'the stored vectors differ');
  },
  async search() {
    const answer = await client.call(client.store, client.store.searchVectors, { collection, queries: [{ vector: { values: query } }], limit: 5 });
    const points = answer.results[0]?.points ?? [];
    const best = points[0];
    expect(points.length === 5 && best?.point?.pointId === `${job}-100` && best.point.payload?.faceIndex === 100 && best.score > 0.9999, `found ${best?.point?.pointId}`);
  },
  async media() {
    const request = { collection, mediaStoreId: 'media-1', query: { vector: { values: query } } };
    const points = (await client.call(client.store, client.store.searchByMediaStoreId, request)).result?.points ?? [];
    const ours = points.every((found) => found.point?.payload?.mediaStoreId === 'media-1');
    expect(points.length === 10 && points[0]?.point?.pointId === `${job}-100` && ours, `found ${points.length}`);
  },
  async delete() {
    const deleted = await forget(job);
    expect(deleted === items - 3, `${deleted} deleted`);
  },
  async count() {
    counts.push(await count());
    expect(counts.join() === `${items - 2},1`, `counts are ${counts}`);
    expect((await forget('other-node')) === 1, 'the other job was not found');
  },
  async faces() {
    const { faces, leftOut, photo } = await client.call(client.faces, client.faces.detectFaces, { photo: twoFaces });
    expect(faces.length === 2 && leftOut.length === 0 && photo?.width === 480 && photo.height === 240, `${faces.length} faces, ${leftOut.length} left out`);
    const [left, right] = faces.map(({ face }) => face?.bbox);
    expect(left!.x + left!.width < 240 && right!.x > 240, `faces at ${left?.x} and ${right?.x}`);
    const sound = faces.every(({ face }, at) => face!.faceIndex === at && face!.confidence > 0.8 && face!.quality!.overall > 0 && face!.landmarks?.nose != null);
    expect(sound, 'a face lacks confidence, quality, or landmarks');
    const embedded = await client.call(client.faces, client.faces.embedFaces, { photo: twoFaces });
    expect(embedded.faces.every(({ embedding }) => Math.abs(Math.hypot(...embedding!.values) - 1) < 1e-5), 'norms are not 1');
    const { pairs } = await client.call(client.faces, client.faces.compareFaces, { first: oneFace, second: twoFaces });
    const compared = pairs.map((pair) => `${pair.firstIndex} ${pair.secondIndex} ${pair.samePerson}`).join();
    expect(compared === '0 0 true,0 1 false' && pairs[0]!.similarity > 0.8 && pairs[1]!.similarity < 0.5, `pairs are ${JSON.stringify(pairs)}`);
  },
  async photo() {
    const item = { jobId: photoJob, photo: twoFaces };
    for await (const answer of client.streamIngest([{ itemId: 'photo', collection: people, photo: item }])) {
      const ids = answer.photoAck?.faces.map((face) => face.pointId).join();
      expect(ids === `${photoJob}-0,${photoJob}-1`, `stored ${ids} ${answer.error?.message ?? ''}`);
    }
    const again = await client.call(client.ingest, client.ingest.ingestPhoto, { item: { jobId: photoJob, photo: oneFace }, collection: people });
    expect(again.ack?.faces.length === 1 && again.ack.removedCount === 1, `${again.ack?.removedCount} removed`);
    const back = await client.call(client.ingest, client.ingest.ingestPhoto, { item, collection: people });
    expect(back.ack?.faces.length === 2 && back.ack.removedCount === 0, `${back.ack?.faces.length} stored`);
  },
  async persons() {
    const { persons } = client;
    const named = await client.call(persons, persons.namePerson, { collection: people, pointIds: [`${photoJob}-0`], person: 'Ada' });
    expect(named.changedCount === 1, `${named.changedCount} named`);
    const { faces } = await client.call(client.faces, client.faces.identifyFaces, { photo: twoFaces, collection: people });
    expect(faces.map((face) => face.person).join() === 'Ada,', `persons are ${faces.map((face) => face.person)}`);
    const listed = await client.call(persons, persons.listPersons, { collection: people });
    expect(listed.persons.map((person) => `${person.name} ${person.faceCount}`).join() === 'Ada 1' && listed.unnamedCount === 1, `listed ${JSON.stringify(listed)}`);
    const undone = await client.call(persons, persons.undoPersonChange, { collection: people, changeId: named.changeId });
    expect(undone.restoredCount === 1, `${undone.restoredCount} restored`);
    let summary;
    for await (const message of client.clusterFaces({ collection: people })) {
      summary = message.summary ?? summary;
    }
    expect(summary?.personCount === 2 && summary.groupedCount === 2 && summary.changeId === '', `summary ${JSON.stringify(summary)}`);
    const { deletedCount } = await client.call(client.store, client.store.deleteByJobId, { jobId: photoJob, collection: people });
    expect(deletedCount === 2, `${deletedCount} deleted`);
  },
  async errors() {
    const error = await client.call(client.embedding, client.embedding.embedImage, { image: { encoded: Buffer.from('not an image') } }).catch((e: unknown) => e);
    const typed = error instanceof EmbeddingsError && error.code === status.INVALID_ARGUMENT;
    expect(typed && error.reason === 'IMAGE_FORMAT_UNKNOWN' && error.field === 'image.encoded', `got ${error}`);
  },
};

function expect(holds: boolean, otherwise: string): void {
  if (!holds) {
    throw new Error(otherwise);
  }
}

for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`FAILED ${name} ${error}`.replaceAll('\n', ' '));
    process.exitCode = 1;
  }
}
writeFileSync(output, JSON.stringify(vectors));
client.close();
singles.close();
