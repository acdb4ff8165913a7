// A small S3 server for rehearsals without containers: one bucket, in this process, on the loopback address. It verifies
// every signature and what each identity may do, so that a drill that passes against it held a credential that sufficed.
import { createReadStream } from 'node:fs';
import { appendFile, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { answer, ServiceError } from './answers.ts';
import type { Body } from './body.ts';
import { receive } from './body.ts';
import type { Version } from './bucket.ts';
import { Bucket } from './bucket.ts';
import { listing } from './listing.ts';
import type { Action, Identity } from './signature.ts';
import { authenticate } from './signature.ts';

export interface S3ServerOptions {
  /** An empty directory of the run's own, for the bodies. */
  readonly directory: string;
  readonly bucket: string;
  readonly identities: readonly Identity[];
  /** Whether a delete only hides and a put only covers. Default: yes. */
  readonly versioned?: boolean;
  /** What is in it already, in place of `versioned` and nothing. */
  readonly contents?: Bucket;
}

export interface S3Server {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly bucket: string;
  /** How often anything in the bucket was changed. */
  readonly changes: () => number;
  /** Afterwards nothing listens, and no connection is open. */
  readonly close: () => Promise<void>;
}

/** Starts the server; it never keeps its process alive. */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const bucket = options.contents ?? new Bucket(options.versioned ?? true);
  const server = createServer((request, response) => {
    void serve({ ...options, contents: bucket, request, response }).catch((error: unknown) => fail(request, response, error));
  });
  // A client of a loopback server gives up by itself: its deadlines are what is rehearsed.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  server.unref();
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bucket: options.bucket, changes: () => bucket.changes, close: async () => close(server) };
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

interface Exchange extends S3ServerOptions {
  readonly contents: Bucket;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, code, message } = error instanceof ServiceError ? error : new ServiceError(500, 'InternalError', 'the server broke');
  // What is left of a body that nobody wants would be read as the next request.
  response.setHeader('connection', 'close');
  if (request.method === 'HEAD') answer(response, status);
  else answer(response, status, 'Error', { Code: code, Message: message, Resource: (request.url ?? '').split('?')[0] ?? '', RequestId: '0' });
}

async function serve(exchange: Exchange): Promise<void> {
  const { request } = exchange;
  const identity = authenticate(request, exchange.identities);
  const url = new URL(request.url ?? '/', 'http://localhost');
  const [, named = '', rest = ''] = /^\/([^/?]*)\/?([^?]*)/.exec(request.url ?? '/') ?? [];
  if (decodeURIComponent(named) !== exchange.bucket) throw new ServiceError(404, 'NoSuchBucket', 'there is no such bucket');
  const key = decodeURIComponent(rest);
  const query = url.searchParams;
  const may = (action: Action): void => {
    if (!identity.may.includes(action)) throw new ServiceError(403, 'AccessDenied', 'this identity may not do that');
  };
  if (key === '') return serveBucket(exchange, query, may);
  switch (request.method ?? '') {
    case 'GET':
    case 'HEAD':
      if (query.has('uploadId')) return sendParts(exchange, key, query, may);
      may('get');
      return send(exchange, exchange.contents.get(key, query.get('versionId')));
    case 'PUT':
      may('put');
      return query.has('uploadId') ? putPart(exchange, key, query) : put(exchange, key);
    case 'POST':
      may('put');
      return query.has('uploadId') ? complete(exchange, key, query) : begin(exchange, key, query);
    case 'DELETE':
      may('delete');
      return remove(exchange, key, query);
    default:
      throw new ServiceError(405, 'MethodNotAllowed', 'there is no such method');
  }
}

function serveBucket({ request, response, contents, bucket }: Exchange, query: URLSearchParams, may: (action: Action) => void): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new ServiceError(501, 'NotImplemented', 'buckets are neither made nor removed here');
  may(query.has('versions') ? 'list-versions' : query.has('uploads') ? 'list-uploads' : 'list');
  if (request.method === 'HEAD') return answer(response, 200);
  if (query.has('location')) return answer(response, 200, 'LocationConstraint', '');
  const { root, content } = listing(contents, bucket, query);
  answer(response, 200, root, content);
}

const kept = /^(?:content-(?:type|encoding|disposition|language)|cache-control|expires|x-amz-meta-.+)$/;

function headersOf(request: IncomingMessage): Record<string, string> {
  const given = Object.entries(request.headers).filter(([name]) => kept.test(name)).map(([name, value]): [string, string] => [name, String(value)]);
  // The wrapping of the upload is no property of the object.
  return Object.fromEntries(given.map(([name, value]): [string, string] => [name, name === 'content-encoding' ? value.replace(/(?:^|, *)aws-chunked/, '') : value]).filter(([, value]) => value !== ''));
}

async function put({ request, response, contents, directory }: Exchange, key: string): Promise<void> {
  if (request.headers['x-amz-copy-source'] !== undefined) throw new ServiceError(501, 'NotImplemented', 'copies are not implemented');
  const taken = (): void => {
    if (request.headers['if-none-match'] === '*' && contents.has(key)) throw new ServiceError(412, 'PreconditionFailed', 'there is such an object');
    if (request.headers['if-match'] !== undefined && !contents.has(key)) throw new ServiceError(404, 'NoSuchKey', 'there is no such object');
  };
  taken();
  const body = await receive(request, join(directory, contents.nextId()));
  // Another may have come first while this one was received.
  taken();
  const version = contents.put(key, body, body.md5, headersOf(request));
  answer(response, 200, undefined, undefined, { etag: `"${version.etag}"`, ...idOf(contents, version) });
}

const idOf = (contents: Bucket, version: Version): Record<string, string> => (contents.versioned ? { 'x-amz-version-id': version.id } : {});

async function send({ request, response }: Exchange, version: Version & { readonly body: Body }): Promise<void> {
  const { body, etag } = version;
  const wanted = request.headers['if-match'];
  if (wanted !== undefined && wanted.replaceAll('"', '') !== etag) throw new ServiceError(412, 'PreconditionFailed', 'it is another object now');
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const [start, end] = range === null ? [0, body.size - 1] : [Number(range[1]), Math.min(body.size - 1, range[2] === '' ? Infinity : Number(range[2]))];
  if (range !== null && start >= body.size) throw new ServiceError(416, 'InvalidRange', 'the range lies behind the end');
  response.writeHead(range === null ? 200 : 206, {
    ...version.headers,
    'content-length': end - start + 1,
    etag: `"${etag}"`,
    'last-modified': version.modifiedAt.toUTCString(),
    'accept-ranges': 'bytes',
    ...(version.id === 'null' ? {} : { 'x-amz-version-id': version.id }),
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end}/${body.size}` }),
  });
  if (request.method === 'HEAD' || body.size === 0) {
    response.end();
    return;
  }
  await pipeline(createReadStream(body.file, { start, end, highWaterMark: 1 << 18 }), response).catch((error: NodeJS.ErrnoException) => {
    // A client that has had enough is no failure of ours.
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}

function remove({ response, contents }: Exchange, key: string, query: URLSearchParams): void {
  const upload = query.get('uploadId');
  if (upload !== null) {
    if (!contents.uploads.delete(upload)) throw noUpload();
    contents.changes += 1;
    return answer(response, 204);
  }
  const marker = contents.delete(key, query.get('versionId'));
  answer(response, 204, undefined, undefined, marker === null ? {} : { 'x-amz-delete-marker': 'true', 'x-amz-version-id': marker.id });
}

const noUpload = (): ServiceError => new ServiceError(404, 'NoSuchUpload', 'there is no such upload');

function begin({ request, response, contents, bucket }: Exchange, key: string, query: URLSearchParams): void {
  if (!query.has('uploads')) throw new ServiceError(501, 'NotImplemented', 'that is not implemented');
  const id = contents.nextId();
  contents.uploads.set(id, { key, id, startedAt: new Date(), headers: headersOf(request), parts: new Map() });
  contents.changes += 1;
  answer(response, 200, 'InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: id });
}

async function putPart({ request, response, contents, directory }: Exchange, key: string, query: URLSearchParams): Promise<void> {
  const upload = contents.uploads.get(query.get('uploadId') ?? '');
  if (upload?.key !== key) throw noUpload();
  const body = await receive(request, join(directory, contents.nextId()));
  upload.parts.set(Number(query.get('partNumber')), body);
  answer(response, 200, undefined, undefined, { etag: `"${body.md5}"` });
}

function sendParts({ response, contents, bucket }: Exchange, key: string, query: URLSearchParams, may: (action: Action) => void): void {
  may('list-uploads');
  const upload = contents.uploads.get(query.get('uploadId') ?? '');
  if (upload?.key !== key) throw noUpload();
  answer(response, 200, 'ListPartsResult', { Bucket: bucket, Key: key, UploadId: upload.id, IsTruncated: false, Part: [...upload.parts].map(([number, { md5, size }]) => ({ PartNumber: number, ETag: `"${md5}"`, Size: size, LastModified: upload.startedAt })) });
}

async function complete({ request, response, contents, directory, bucket }: Exchange, key: string, query: URLSearchParams): Promise<void> {
  const upload = contents.uploads.get(query.get('uploadId') ?? '');
  if (upload?.key !== key) throw noUpload();
  const order = join(directory, contents.nextId());
  const asked = await readFile((await receive(request, order)).file, 'utf8');
  await rm(order);
  const parts = [...asked.matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((match) => upload.parts.get(Number(match[1])));
  if (parts.length === 0 || parts.includes(undefined)) throw new ServiceError(400, 'InvalidPart', 'a part was never uploaded');
  const whole = join(directory, contents.nextId());
  const md5 = createHash('md5');
  let size = 0;
  for (const part of parts as Body[]) {
    await appendFile(whole, createReadStream(part.file), { mode: 0o600 });
    md5.update(Buffer.from(part.md5, 'hex'));
    size += part.size;
  }
  await Promise.all([...upload.parts.values()].map((part) => rm(part.file)));
  contents.uploads.delete(upload.id);
  // As with S3: the digest of the parts' digests, which is no digest of the object.
  const etag = `${md5.digest('hex')}-${parts.length}`;
  const version = contents.put(key, { file: whole, size, md5: etag }, etag, upload.headers);
  answer(response, 200, 'CompleteMultipartUploadResult', { Location: `/${bucket}/${key}`, Bucket: bucket, Key: key, ETag: `"${etag}"` }, idOf(contents, version));
}
