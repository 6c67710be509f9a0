// Ingests all image files of a folder as whole images, with the file names as job ids.
// Usage: bulk-ingest.js FOLDER [URL]
import { readdir, readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { EmbeddingsClient, EmbeddingsError, type StreamIngestRequest } from '../src/index.js';

const [folder, url] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: bulk-ingest.js FOLDER [URL]');
  process.exit(2);
}

// A file is read only when the server accepts the next image, so only a few images are in memory at a time.
async function* images(from: string): AsyncGenerator<StreamIngestRequest> {
  for (const name of (await readdir(from)).filter((file) => /\.(jpe?g|png|webp|gif|tiff?|avif)$/i.test(file)).sort()) {
    const image = { encoded: await readFile(join(from, name)) };
    yield { itemId: name, image: { jobId: basename(name, extname(name)), image } };
  }
}

const client = new EmbeddingsClient(url);
let stored = 0;
let failed = 0;
try {
  for await (const answer of client.streamIngest(images(folder))) {
    if (answer.error) {
      failed++;
      console.error(`${answer.itemId}: ${EmbeddingsError.fromItem(answer.error).message}`);
    } else {
      stored++;
    }
  }
} finally {
  client.close();
  console.log(`${stored} stored, ${failed} failed`);
}
process.exitCode = failed > 0 ? 1 : 0;
