import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { type ChannelCredentials, credentials, InterceptingCall, type Interceptor } from '@grpc/grpc-js';

/** TLS and API key of a client. */
export interface SecurityOptions {
  /**
   * PEM file of the certificate authorities to trust instead of the default ones of gRPC. Requires an `https://` URL. Default:
   * `$EMBEDDINGS_CA` if the URL is `https://`.
   */
  ca?: string;
  /**
   * PEM file of the client certificate, followed by its intermediate certificates, for servers that ask for one. Requires an
   * `https://` URL. Default: `$EMBEDDINGS_CLIENT_CERT` if the URL is `https://`.
   */
  clientCert?: string;
  /**
   * PEM file of the key of `clientCert`, not encrypted. Default: `$EMBEDDINGS_CLIENT_KEY` if the URL is `https://` or, if it is
   * not set, the file `clientCert`.
   */
  clientKey?: string;
  /**
   * API key sent with every call (`authorization: Bearer KEY`). Printable ASCII characters without spaces. Requires an
   * `https://` URL, except for this machine (`localhost`, `127.0.0.0/8`, `::1`). Default: `$EMBEDDINGS_API_KEY`.
   */
  apiKey?: string;
}

/** Credentials and options of a channel. */
export interface Security {
  credentials: ChannelCredentials;
  options: { interceptors?: Interceptor[]; 'grpc.enable_http_proxy'?: number };
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Returns whether a name or address is `localhost`, in `127.0.0.0/8`, or `::1`. Other names are not resolved. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  const family = isIP(host);
  return host === 'localhost' || (family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4'));
}

/**
 * Makes the credentials and options of a channel. An empty string instead of a file or key does not use the environment
 * variable.
 * @throws TypeError if an option is invalid, a file cannot be used, or the API key would be sent without TLS to another machine
 */
export function secure(url: URL, given: SecurityOptions): Security {
  const isSecure = url.protocol === 'https:';
  for (const name of ['ca', 'clientCert', 'clientKey'] as const) {
    if (given[name] && !isSecure) {
      throw new TypeError(`${name} requires a URL that starts with https://; the URL is for ${url.host} without TLS.`);
    }
  }
  const apiKey = given.apiKey ?? process.env.EMBEDDINGS_API_KEY;
  if (apiKey) {
    checkKey(apiKey, url, isSecure);
  }
  return {
    credentials: isSecure ? tls(given) : credentials.createInsecure(),
    // gRPC refuses call credentials without TLS, so that the key is metadata. A key without TLS must not go to a proxy.
    options: apiKey ? { interceptors: [withKey(apiKey)], ...(isSecure ? {} : { 'grpc.enable_http_proxy': 0 }) } : {},
  };
}

// Errors do not contain the key.
function checkKey(apiKey: string, url: URL, isSecure: boolean): void {
  if (!/^[!-~]+$/.test(apiKey)) {
    throw new TypeError('apiKey must consist of printable ASCII characters, without spaces.');
  }
  if (!isSecure && !isLoopback(url.hostname)) {
    throw new TypeError(
      'apiKey requires a URL that starts with https://, because a key without TLS can be read in transit, except to this machine ' +
        `(localhost, 127.0.0.1, ::1); got ${url.host} without TLS.`,
    );
  }
}

function tls(given: SecurityOptions): ChannelCredentials {
  const caFile = (given.ca ?? process.env.EMBEDDINGS_CA) || undefined;
  const certFile = (given.clientCert ?? process.env.EMBEDDINGS_CLIENT_CERT) || undefined;
  const keyFile = (given.clientKey ?? process.env.EMBEDDINGS_CLIENT_KEY) || undefined;
  if (keyFile && !certFile) {
    throw new TypeError('clientKey requires clientCert, the file of its certificate.');
  }
  const ca = caFile ? read('ca', caFile) : null;
  if (ca && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw new TypeError(`ca must contain a certificate in PEM (-----BEGIN CERTIFICATE-----); '${caFile}' has none.`);
  }
  if (!certFile) {
    return credentials.createSsl(ca);
  }
  const cert = read('clientCert', certFile);
  const key = keyFile ? read('clientKey', keyFile) : cert;
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const withKeyFile = keyFile ? ` with clientKey '${keyFile}'` : '';
    throw new TypeError(`clientCert '${certFile}'${withKeyFile} cannot be used: ${(error as Error).message}`);
  }
  return credentials.createSsl(ca, key, cert);
}

function read(name: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new TypeError(`${name} '${file}' cannot be read: ${(error as Error).message}`);
  }
}

function withKey(apiKey: string): Interceptor {
  return (options, next) =>
    new InterceptingCall(next(options), {
      start(metadata, listener, proceed) {
        metadata.set('authorization', `Bearer ${apiKey}`);
        proceed(metadata, listener);
      },
    });
}
