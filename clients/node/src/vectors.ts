import { endianness } from 'node:os';
import type { Embedding } from './generated/embeddings/v1/Embedding.js';
import type { VectorPoint } from './generated/embeddings/v1/VectorPoint.js';

/** Returns the vector of an embedding or a point, from either of its fields: numbers, or bytes (`vectorsAsBytes`). */
export function vectorOf(message: Embedding | VectorPoint): Float32Array {
  const { valuesF32, values } = message as Embedding;
  const { vectorF32, vector } = message as VectorPoint;
  const data = valuesF32 ?? vectorF32;
  return data?.length ? fromBytes(data) : Float32Array.from((values ?? vector ?? []) as number[]);
}

/**
 * Converts little-endian float32 values, as in `valuesF32` and `vectorF32`. Copies them once.
 * @throws RangeError if the length is not a multiple of 4 bytes
 */
export function fromBytes(data: Uint8Array | string): Float32Array {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : data;
  if (bytes.length % 4 !== 0) {
    throw new RangeError(`A vector must have 4 bytes per value; got ${bytes.length} bytes.`);
  }
  // A copy, because the bytes of a message do not start at a multiple of 4.
  const copy = new Uint8Array(bytes);
  return new Float32Array(littleEndian(copy).buffer);
}

/** Converts a vector to little-endian float32 values, for `vectorF32` and `valuesF32`. Copies it once. */
export function toBytes(vector: ArrayLike<number>): Buffer {
  const values = new Float32Array(vector);
  return littleEndian(Buffer.from(values.buffer));
}

function littleEndian<T extends Uint8Array>(bytes: T): T {
  if (endianness() === 'BE') {
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).swap32();
  }
  return bytes;
}
