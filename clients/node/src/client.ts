import { credentials, type ServiceError } from '@grpc/grpc-js';
import { EmbeddingsError } from './errors.js';
import type { StreamEmbedRequest } from './generated/embeddings/v1/StreamEmbedRequest.js';
import type { StreamEmbedResponse__Output } from './generated/embeddings/v1/StreamEmbedResponse.js';
import type { StreamIngestRequest } from './generated/embeddings/v1/StreamIngestRequest.js';
import type { StreamIngestResponse__Output } from './generated/embeddings/v1/StreamIngestResponse.js';
import type { StreamUpsertVectorsRequest } from './generated/embeddings/v1/StreamUpsertVectorsRequest.js';
import type { StreamUpsertVectorsResponse__Output } from './generated/embeddings/v1/StreamUpsertVectorsResponse.js';
import { protos } from './protos.js';
import { exchange, type Source, type StreamOptions } from './stream.js';

/** How a client behaves. */
export interface ClientOptions extends Partial<StreamOptions> {
  /** Milliseconds that a single call may take, and that a stream may wait for an answer that is due. Default 30,000. */
  timeoutMs?: number;
}

type Answer<Response> = (error: ServiceError | null, response?: Response) => void;

// Generated methods have many overloads; types are inferred from the last one, the call is made by the one with options.
type Unary<Request, Response> = (request: Request, callback: Answer<Response>) => unknown;
type UnaryWithOptions<Request, Response> = (this: object, request: Request, options: { deadline: number }, callback: Answer<Response>) => unknown;

const channelOptions = {
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.max_send_message_length': 64 * 1024 * 1024,
  // A server that comes back is found again soon.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 5000,
};

/** One connection to the server, shared by all its services; connects at the first call and again whenever the connection breaks. */
export class EmbeddingsClient {
  readonly embedding;
  readonly ingest;
  readonly store;
  readonly models;
  readonly health;
  private readonly options: StreamOptions;

  /** @param url `http://host:port`, `https://host:port` (TLS) or `host:port`. Default: `$EMBEDDINGS_URL`, or `http://localhost:50051`. */
  constructor(url: string = process.env.EMBEDDINGS_URL ?? 'http://localhost:50051', options: ClientOptions = {}) {
    const parsed = new URL(url.includes('://') ? url : `http://${url}`);
    if (!['http:', 'https:'].includes(parsed.protocol) || !parsed.hostname) {
      throw new TypeError(`'${url}' is not http://host:port or https://host:port`);
    }
    const secure = parsed.protocol === 'https:';
    const target = `${parsed.hostname}:${parsed.port || (secure ? 443 : url.endsWith(':80') ? 80 : 50051)}`;
    const security = secure ? credentials.createSsl() : credentials.createInsecure();
    this.options = { timeoutMs: 30_000, maxInFlight: 512, attempts: 5, ...options };
    this.embedding = new protos.embeddings.v1.EmbeddingService(target, security, channelOptions);
    const shared = { ...channelOptions, channelOverride: this.embedding.getChannel() };
    this.ingest = new protos.embeddings.v1.IngestService(target, security, shared);
    this.store = new protos.embeddings.v1.VectorStoreService(target, security, shared);
    this.models = new protos.embeddings.v1.ModelService(target, security, shared);
    this.health = new protos.grpc.health.v1.Health(target, security, shared);
  }

  /**
   * One single call with the deadline: `await client.call(client.store, client.store.searchVectors, {...})`.
   * @throws EmbeddingsError
   */
  call<Request, Response>(service: object, method: Unary<Request, Response>, request: Request): Promise<Response> {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + this.options.timeoutMs;
      const timed = method as unknown as UnaryWithOptions<Request, Response>;
      timed.call(service, request, { deadline }, (error, response) => (error ? reject(EmbeddingsError.fromCall(error)) : resolve(response as Response)));
    });
  }

  /** Embeds a stream; one answer for each request, in order. */
  streamEmbed(requests: Source<StreamEmbedRequest>): AsyncGenerator<StreamEmbedResponse__Output> {
    return exchange(() => this.embedding.streamEmbed(), requests, this.options);
  }

  /** Embeds and stores a stream; one answer for each request, in order, an ack once the point is durable. */
  streamIngest(requests: Source<StreamIngestRequest>): AsyncGenerator<StreamIngestResponse__Output> {
    return exchange(() => this.ingest.streamIngest(), requests, this.options);
  }

  /** Stores a stream of vectors; one answer for each request, in order, an ack once the point is durable. */
  streamUpsertVectors(requests: Source<StreamUpsertVectorsRequest>): AsyncGenerator<StreamUpsertVectorsResponse__Output> {
    return exchange(() => this.store.streamUpsertVectors(), requests, this.options);
  }

  /** Ends the connection and what still runs on it. */
  close(): void {
    for (const service of [this.embedding, this.ingest, this.store, this.models, this.health]) {
      service.close();
    }
  }
}
