import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import type { ProtoGrpcType as EmbeddingProto } from './generated/embedding_service.js';
import type { ProtoGrpcType as StatusProto } from './generated/embeddings_status.js';
import type { ProtoGrpcType as FaceProto } from './generated/face_service.js';
import type { ProtoGrpcType as HealthProto } from './generated/health.js';
import type { ProtoGrpcType as IngestProto } from './generated/ingest_service.js';
import type { ProtoGrpcType as ModelProto } from './generated/model_service.js';
import type { ProtoGrpcType as PersonProto } from './generated/person_service.js';
import type { ProtoGrpcType as StoreProto } from './generated/vector_store_service.js';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../protos');
const services = ['embedding_service', 'ingest_service', 'vector_store_service', 'model_service', 'face_service', 'person_service'];

// Must match the options in generate.mjs so that the types are correct.
const definition = loadSync(
  [...services.map((name) => `embeddings/v1/${name}.proto`), 'embeddings_status.proto', 'grpc/health/v1/health.proto'],
  { includeDirs: [folder], longs: Number, enums: String, defaults: true, oneofs: true },
);

/** Services and messages of the contract. */
export const protos = loadPackageDefinition(definition) as unknown as EmbeddingProto & IngestProto & StoreProto & ModelProto & FaceProto & PersonProto & HealthProto;

/** Returns the number of the field `items` of a method's request. */
export function itemsField(method: object): number {
  const { type } = (method as { requestType: MessageTypeDefinition<object, object> }).requestType;
  return (type as { field: { name: string; number: number }[] }).field.find(({ name }) => name === 'items')!.number;
}

interface Decoder<T> {
  deserialize(bytes: Buffer): T;
}

/** Returns a decoder for a message that no service uses. */
export function decoder<T>(name: keyof StatusProto['embeddings']['client']): Decoder<T> {
  return { deserialize: (bytes) => (definition[`embeddings.client.${name}`] as unknown as { deserialize(bytes: Buffer): T }).deserialize(bytes) };
}
