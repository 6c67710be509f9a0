import { type ServiceError, status } from '@grpc/grpc-js';
import { readDetails } from './details.js';
import type { ItemError__Output } from './generated/embeddings/v1/ItemError.js';

/** A call or an item that failed. */
export class EmbeddingsError extends Error {
  override readonly name = 'EmbeddingsError';

  constructor(
    /** gRPC status code, for example `status.NOT_FOUND`. */
    readonly code: status,
    /** UPPER_SNAKE word to switch on (docs/errors.md); empty where no server gave one. */
    readonly reason: string,
    /** Path of the field at fault, for example `image.encoded`; empty where no field is. */
    readonly field: string,
    message: string,
    /** Milliseconds that the server asks to wait; undefined where it does not. */
    readonly retryAfterMs?: number,
  ) {
    super([reason || status[code], field, message].filter(Boolean).join(': '));
  }

  /** Whether the same may succeed later: the server was away, or full and said when to come again. */
  get retryable(): boolean {
    return this.code === status.UNAVAILABLE || (this.code === status.RESOURCE_EXHAUSTED && this.retryAfterMs !== undefined);
  }

  /** What a failed call says. */
  static fromCall(error: ServiceError): EmbeddingsError {
    const { reason, field, retryAfterMs } = readDetails(error.metadata);
    return new EmbeddingsError(error.code ?? status.UNKNOWN, reason, field, error.details ?? error.message, retryAfterMs);
  }

  /** What one item of a stream failed of. */
  static fromItem(error: ItemError__Output): EmbeddingsError {
    return new EmbeddingsError(error.code, error.reason, error.field, error.message);
  }
}
