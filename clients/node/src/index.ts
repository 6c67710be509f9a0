export { status } from '@grpc/grpc-js';
export { type ClientOptions, EmbeddingsClient } from './client.js';
export { EmbeddingsError } from './errors.js';
export { protos } from './protos.js';
export { exchange, type Source, type StreamOptions } from './stream.js';
export type { ClusterFacesRequest } from './generated/embeddings/v1/ClusterFacesRequest.js';
export type { StreamEmbedRequest } from './generated/embeddings/v1/StreamEmbedRequest.js';
export type { StreamIngestRequest } from './generated/embeddings/v1/StreamIngestRequest.js';
export type { StreamUpsertVectorsRequest } from './generated/embeddings/v1/StreamUpsertVectorsRequest.js';
