import { type Client, type ServiceError, status } from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import { EmbeddingsError } from './errors.js';
import type { ClusterFacesRequest } from './generated/embeddings/v1/ClusterFacesRequest.js';
import type { ClusterFacesResponse__Output } from './generated/embeddings/v1/ClusterFacesResponse.js';
import type { StreamEmbedRequest } from './generated/embeddings/v1/StreamEmbedRequest.js';
import type { StreamEmbedResponse__Output } from './generated/embeddings/v1/StreamEmbedResponse.js';
import type { StreamIngestRequest } from './generated/embeddings/v1/StreamIngestRequest.js';
import type { StreamIngestResponse__Output } from './generated/embeddings/v1/StreamIngestResponse.js';
import type { StreamUpsertVectorsRequest } from './generated/embeddings/v1/StreamUpsertVectorsRequest.js';
import type { StreamUpsertVectorsResponse__Output } from './generated/embeddings/v1/StreamUpsertVectorsResponse.js';
import { itemsField, protos } from './protos.js';
import { secure, type SecurityOptions } from './security.js';
import { checkStreamOptions, exchange, receive, type Source, streamDefaults, type StreamMethod, type StreamOptions } from './stream.js';

/** Options of a client. */
export interface ClientOptions extends Partial<StreamOptions>, SecurityOptions {
  /** Deadline of a unary call and maximum wait for the next response of a stream, in milliseconds. Default: 30,000. */
  timeoutMs?: number;
}

type Answer<Response> = (error: ServiceError | null, response?: Response) => void;

// Generated methods have several overloads. Types are inferred from the last one; calls use the one with options.
type Unary<Request, Response> = (request: Request, callback: Answer<Response>) => unknown;
type UnaryWithOptions<Request, Response> = (this: object, request: Request, options: { deadline: number }, callback: Answer<Response>) => unknown;

const channelOptions = {
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.max_send_message_length': 64 * 1024 * 1024,
  // Reconnect soon after the server is available again.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 5000,
};

/**
 * A connection to the server, shared by all services. Connects on the first call and reconnects if the connection breaks.
 */
export class EmbeddingsClient {
  readonly embedding;
  readonly ingest;
  readonly store;
  readonly models;
  readonly faces;
  readonly persons;
  readonly health;
  private readonly options: StreamOptions;
  private closed = false;

  /**
   * @param url `http://host:port`, `https://host:port` (TLS), or `host:port`. Default: `$EMBEDDINGS_URL` or, if it is not
   * set, `http://localhost:50051`.
   * @throws TypeError if the URL has another form, an option is invalid, a file cannot be used, or the API key would be sent
   * without TLS to another machine
   */
  constructor(url: string = process.env.EMBEDDINGS_URL ?? 'http://localhost:50051', options: ClientOptions = {}) {
    const parsed = new URL(url.includes('://') ? url : `http://${url}`);
    if (!['http:', 'https:'].includes(parsed.protocol) || !parsed.hostname) {
      throw new TypeError(`url must be of the form http://host:port, https://host:port, or host:port; got '${url}'.`);
    }
    const target = `${parsed.hostname}:${parsed.port || (parsed.protocol === 'https:' ? 443 : url.endsWith(':80') ? 80 : 50051)}`;
    const { credentials: security, options: ofSecurity } = secure(parsed, options);
    this.options = { ...streamDefaults, ...options };
    checkStreamOptions(this.options);
    const own = { ...channelOptions, ...ofSecurity };
    this.embedding = new protos.embeddings.v1.EmbeddingService(target, security, own);
    const shared = { ...own, channelOverride: this.embedding.getChannel() };
    this.ingest = new protos.embeddings.v1.IngestService(target, security, shared);
    this.store = new protos.embeddings.v1.VectorStoreService(target, security, shared);
    this.models = new protos.embeddings.v1.ModelService(target, security, shared);
    this.faces = new protos.embeddings.v1.FaceService(target, security, shared);
    this.persons = new protos.embeddings.v1.PersonService(target, security, shared);
    this.health = new protos.grpc.health.v1.Health(target, security, shared);
  }

  /**
   * Makes a unary call with the deadline, for example `await client.call(client.store, client.store.searchVectors, {...})` or
   * `await client.call(client.faces, client.faces.identifyFaces, {...})`.
   * @throws EmbeddingsError if the call fails
   */
  call<Request, Response>(service: object, method: Unary<Request, Response>, request: Request): Promise<Response> {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + this.options.timeoutMs;
      const timed = method as unknown as UnaryWithOptions<Request, Response>;
      timed.call(service, request, { deadline }, (error, response) => (error ? reject(EmbeddingsError.fromCall(error)) : resolve(response as Response)));
    });
  }

  /** Embeds a stream of items. Yields one response per request, in order. */
  streamEmbed(requests: Source<StreamEmbedRequest>): AsyncGenerator<StreamEmbedResponse__Output> {
    return exchange(this.stream(this.embedding, protos.embeddings.v1.EmbeddingService.service.StreamEmbed), requests, this.options);
  }

  /**
   * Embeds and stores a stream of items. Yields one response per request, in order. An ack means that the point is durable.
   */
  streamIngest(requests: Source<StreamIngestRequest>): AsyncGenerator<StreamIngestResponse__Output> {
    return exchange(this.stream(this.ingest, protos.embeddings.v1.IngestService.service.StreamIngest), requests, this.options);
  }

  /** Stores a stream of vectors. Yields one response per request, in order. An ack means that the point is durable. */
  streamUpsertVectors(requests: Source<StreamUpsertVectorsRequest>): AsyncGenerator<StreamUpsertVectorsResponse__Output> {
    return exchange(this.stream(this.store, protos.embeddings.v1.VectorStoreService.service.StreamUpsertVectors), requests, this.options);
  }

  /**
   * Groups the faces of a collection into persons. Yields progress, then one or more messages per person, largest first, then a
   * summary. Has no deadline, since a large collection takes minutes, and is not retried. To cancel it, stop reading.
   */
  clusterFaces(request: ClusterFacesRequest): AsyncGenerator<ClusterFacesResponse__Output> {
    return receive(() => this.opened().persons.clusterFaces(request));
  }

  /** Closes the connection and cancels the calls in progress. */
  close(): void {
    this.closed = true;
    for (const service of [this.embedding, this.ingest, this.store, this.models, this.faces, this.persons, this.health]) {
      service.close();
    }
  }

  /** Describes a streaming method. Its requests are serialized before they are packed into messages. */
  private stream<Request, Sent, Received, Response>(service: Client, method: MethodDefinition<Request, Sent, Received, Response>): StreamMethod<Request, Response> {
    return {
      open: () => {
        this.opened();
        return service.makeBidiStreamRequest(method.path, (message: Buffer) => message, method.responseDeserialize);
      },
      serialize: method.requestSerialize,
      itemsField: itemsField(method),
    };
  }

  private opened(): this {
    if (this.closed) {
      throw new EmbeddingsError(status.CANCELLED, '', '', 'The client is closed.');
    }
    return this;
  }
}
