import { type ServiceError, status } from '@grpc/grpc-js';
import { readDetails } from './details.js';
import type { ItemError__Output } from './generated/embeddings/v1/ItemError.js';

/** The error of a failed call or item. */
export class EmbeddingsError extends Error {
  override readonly name = 'EmbeddingsError';

  constructor(
    /** gRPC status code, for example `status.NOT_FOUND`. */
    readonly code: status,
    /** Machine-readable reason in UPPER_SNAKE_CASE (docs/errors.md). Empty if the server gave none. */
    readonly reason: string,
    /** Path of the invalid field, for example `image.encoded`. Empty if the error does not concern a field. */
    readonly field: string,
    message: string,
    /** Delay before a retry as requested by the server, in milliseconds, or undefined. */
    readonly retryAfterMs?: number,
  ) {
    super([reason || status[code], field, message].filter(Boolean).join(': '));
  }

  /** Whether a retry may succeed: the server was unavailable, or overloaded and requested a retry. */
  get retryable(): boolean {
    return this.code === status.UNAVAILABLE || (this.code === status.RESOURCE_EXHAUSTED && this.retryAfterMs !== undefined);
  }

  /** Converts the error of a failed call. */
  static fromCall(error: ServiceError): EmbeddingsError {
    const { reason, field, retryAfterMs } = readDetails(error.metadata);
    return new EmbeddingsError(error.code ?? status.UNKNOWN, reason, field, error.details ?? error.message, retryAfterMs);
  }

  /**
   * Converts the error of a failed stream. An end that the server did not state itself is a broken connection, whatever its
   * code: a proxy that ends a stream after a time limit, for example, leaves CANCELLED or INTERNAL without a reason. It becomes
   * UNAVAILABLE, which is retryable.
   */
  static fromStream(error: ServiceError): EmbeddingsError {
    const made = EmbeddingsError.fromCall(error);
    if (made.reason || ![status.UNAVAILABLE, status.CANCELLED, status.INTERNAL, status.UNKNOWN].includes(made.code)) {
      return made;
    }
    return new EmbeddingsError(status.UNAVAILABLE, '', '', `The connection broke: ${error.details ?? error.message}`);
  }

  /** Converts the error of a stream item. */
  static fromItem(error: ItemError__Output): EmbeddingsError {
    return new EmbeddingsError(error.code, error.reason, error.field, error.message);
  }
}
