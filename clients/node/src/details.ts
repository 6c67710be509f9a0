import type { Metadata } from '@grpc/grpc-js';
import { decoder } from './protos.js';

/** Error details from `google.rpc.Status` in the trailers. */
export interface Details {
  reason: string;
  field: string;
  retryAfterMs?: number;
}

interface Any {
  type_url: string;
  value: Buffer;
}

/** Reads the error details from the trailer `grpc-status-details-bin`. */
export function readDetails(metadata: Metadata | undefined): Details {
  const details: Details = { reason: '', field: '' };
  const bytes = metadata?.get('grpc-status-details-bin')[0];
  if (!(bytes instanceof Buffer)) {
    return details;
  }
  for (const any of decoder<{ details: Any[] }>('Status').deserialize(bytes).details) {
    const url = any.type_url ?? (any as unknown as { typeUrl: string }).typeUrl;
    switch (url.slice(url.lastIndexOf('.') + 1)) {
      case 'ErrorInfo':
        details.reason = decoder<{ reason: string }>('ErrorInfo').deserialize(any.value).reason;
        break;
      case 'BadRequest':
        details.field = decoder<{ fieldViolations: { field: string }[] }>('BadRequest').deserialize(any.value).fieldViolations[0]?.field ?? '';
        break;
      case 'RetryInfo': {
        const delay = decoder<{ retryDelay: { seconds: number; nanos: number } }>('RetryInfo').deserialize(any.value).retryDelay;
        details.retryAfterMs = delay.seconds * 1000 + delay.nanos / 1e6;
        break;
      }
    }
  }
  return details;
}
