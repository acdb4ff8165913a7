// An S3 bucket, or a folder in one, as a store. Read with a credential that lists and reads; what it may not know is told
// as not judged. Every call has a deadline: the SDK of itself would wait for ever.
import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import type { GetObjectCommandOutput, ListMultipartUploadsCommandOutput, _Object } from '@aws-sdk/client-s3';
import { GetObjectCommand, HeadObjectCommand, ListMultipartUploadsCommand, ListObjectVersionsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { StepEnded } from '../run/finding.ts';
import type { S3Credential, S3StoreConfig } from './config.ts';
import { storeFindings } from './findings.ts';
import { shown } from './names.ts';
import { isDenied, isUnknownCall, refused, storeProblem, toldBy } from './s3-errors.ts';
import { pages } from './s3-listing.ts';
import { probeWrites } from './s3-probe.ts';
import type { Entry, History, Judged, ListOptions, ReadableStore, StoredObject, UnfinishedUpload, Writes } from './store.ts';

export interface S3Options {
  /** The longest that one call may take, its attempts together, ms; a body is not part of it. Default: 45 s. */
  readonly callMs?: number;
  /** How often a call is made that the store was too busy for or that did not arrive. Default: 3. */
  readonly attempts?: number;
  /** The most entries that a page of a listing is asked to have. Default: the store's own, a thousand. */
  readonly pageKeys?: number;
}

/** Of unfinished uploads whose names are not ours, among which ours may be: ten thousand. */
const mostUploadPages = 10;

/** What names an artifact of a set. Only of these the history matters here, and a media tree has a million others. */
const artifacts = 'db-';

/** The store that a bucket is. Asks for nothing yet. */
export function s3Store(config: S3StoreConfig, credential: S3Credential, options: S3Options = {}): ReadableStore {
  return new S3Store(config, credential, options);
}

class S3Store implements ReadableStore {
  readonly description: string;
  readonly #config: S3StoreConfig;
  readonly #client: S3Client;
  readonly #callMs: number;
  readonly #pageKeys: number | undefined;

  constructor(config: S3StoreConfig, credential: S3Credential, { callMs = 45_000, attempts = 3, pageKeys }: S3Options) {
    this.#config = config;
    this.#callMs = callMs;
    this.#pageKeys = pageKeys;
    const { hostname, host } = new URL(config.endpoint);
    this.description = `s3 bucket ${config.bucket}${config.prefix === '' ? '' : `, folder ${shown(config.prefix)}`} at ${host}`;
    // A proxy of the environment is used as curl uses it, NO_PROXY included, and never to this machine itself.
    const proxy = isLoopback(hostname) ? {} : { proxyEnv: process.env };
    this.#client = new S3Client({
      endpoint: config.endpoint,
      region: config.region,
      forcePathStyle: config.pathStyle,
      credentials: credential,
      maxAttempts: attempts,
      // B2 and others refuse the checksums that the SDK adds by itself. Ours are the manifest's and the ledger's.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: Math.min(10_000, callMs),
        httpAgent: new Agent({ keepAlive: true, ...proxy }),
        // Said here, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment does not turn it off.
        httpsAgent: new TlsAgent({ keepAlive: true, rejectUnauthorized: true, ...proxy }),
      },
    });
  }

  async *list(signal: AbortSignal, options: ListOptions = {}): AsyncGenerator<Entry> {
    const { bucket: Bucket, prefix } = this.#config;
    const delimiter = options.folders === 'named' ? { Delimiter: '/' } : {};
    const read = (token: string | undefined) => this.#call((abortSignal) => this.#client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken: token, MaxKeys: this.#pageKeys, ...delimiter }), { abortSignal }), signal);
    for await (const { objects, folders } of pages(read, this.description, prefix)) {
      signal.throwIfAborted();
      for (const one of objects) {
        const object = this.#listed(one);
        // What a console makes to show a folder: an empty object that is named like one.
        if (object.key !== '' && !(object.key.endsWith('/') && object.size === 0)) yield { kind: 'object', object };
      }
      for (const folder of folders) {
        const key = folder.slice(prefix.length, -1);
        yield key === '' ? { kind: 'irregular', key: '/', what: 'folder without a name' } : { kind: 'folder', key };
      }
    }
  }

  async head(key: string, signal: AbortSignal): Promise<StoredObject | null> {
    const input = { Bucket: this.#config.bucket, Key: this.#config.prefix + key };
    try {
      const found = await this.#call((abortSignal) => this.#client.send(new HeadObjectCommand(input), { abortSignal }), signal, () => true);
      return { key, size: found.ContentLength ?? 0, modifiedAt: atSecond(found.LastModified), ...etagOf(found.ETag), ...(found.VersionId === undefined || found.VersionId === 'null' ? {} : { version: found.VersionId }) };
    } catch (error) {
      if (toldBy(error).status === 404) return null;
      if (error instanceof StepEnded) throw error;
      signal.throwIfAborted();
      // The answer to a head has no body, and so no reason: a get of one byte has.
      const body = await this.#get({ key, size: 1, modifiedAt: new Date(0) }, signal, { Range: 'bytes=0-0' });
      body.destroy();
      throw new StepEnded(storeFindings.find('fetch.denied', { object: shown(key), error: `HTTP ${toldBy(error).status} to a head` }));
    }
  }

  async open(object: StoredObject, signal: AbortSignal, from = 0): Promise<Readable> {
    return this.#get(object, signal, { ...(object.etag === undefined ? {} : { IfMatch: `"${object.etag}"` }), ...(from === 0 ? {} : { Range: `bytes=${from}-` }) }, from);
  }

  async history(signal: AbortSignal): Promise<Judged<History>> {
    const { bucket: Bucket, prefix: folder } = this.#config;
    return this.#judge(async () => {
      const [current, hidden]: [string[], string[]] = [[], []];
      const seen = new Set<string>();
      for (let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {}; ; ) {
        const page = await this.#call((abortSignal) => this.#client.send(new ListObjectVersionsCommand({ Bucket, Prefix: folder + artifacts, Delimiter: '/', MaxKeys: this.#pageKeys, ...marker }), { abortSignal }), signal, isOptional);
        for (const one of page.Versions ?? []) if (one.IsLatest === true) current.push((one.Key ?? '').slice(folder.length));
        for (const one of page.DeleteMarkers ?? []) if (one.IsLatest === true) hidden.push((one.Key ?? '').slice(folder.length));
        if (page.IsTruncated !== true) return { current, hidden };
        marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
        if (seen.has(JSON.stringify(marker))) throw new StepEnded(storeFindings.find('store.listing-unsound', { store: this.description, how: 'the list of its versions leads in a circle' }));
        seen.add(JSON.stringify(marker));
      }
    });
  }

  async unfinished(signal: AbortSignal): Promise<Judged<readonly UnfinishedUpload[]>> {
    const { bucket: Bucket, prefix: folder } = this.#config;
    return this.#judge(async () => {
      const ask = async (more: { Prefix?: string; KeyMarker?: string | undefined; UploadIdMarker?: string | undefined }) => this.#call((abortSignal) => this.#client.send(new ListMultipartUploadsCommand({ Bucket, ...more }), { abortSignal }), signal, isOptional);
      const ours = (page: ListMultipartUploadsCommandOutput): UnfinishedUpload[] => (page.Uploads ?? []).flatMap(({ Key = '', Initiated }) => (Key.startsWith(folder + artifacts) ? [{ key: Key.slice(folder.length), startedAt: Initiated ?? new Date(0) }] : []));
      // The first thousand tell enough.
      const asked = ours(await ask({ Prefix: folder + artifacts }));
      if (asked.length > 0) return asked;
      // MinIO answers only to the whole name of an upload, or to none at all (its issue 20989, as intended).
      const found: UnfinishedUpload[] = [];
      for (let at: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}, left = mostUploadPages; left > 0; left -= 1) {
        const page = await ask(at).catch((error: unknown) => {
          // A right may hold for the folder alone.
          if (isOptional(error)) return null;
          throw error;
        });
        found.push(...(page === null ? [] : ours(page)));
        if (page?.IsTruncated !== true) break;
        at = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
      }
      return found;
    });
  }

  async writes(signal: AbortSignal): Promise<Writes> {
    return this.#call((abortSignal) => probeWrites(this.#client, this.#config.bucket, this.#config.prefix, abortSignal), signal);
  }

  /** @throws StepEnded fetch.denied, fetch.gone, fetch.changed, fetch.archived, store.* */
  async #get(object: StoredObject, signal: AbortSignal, condition: { IfMatch?: string; Range?: string }, from = 0): Promise<Readable> {
    const key = shown(object.key);
    const input = { Bucket: this.#config.bucket, Key: this.#config.prefix + object.key, ...condition };
    let got: GetObjectCommandOutput;
    try {
      got = await this.#call((abortSignal) => this.#client.send(new GetObjectCommand(input), { abortSignal }), signal, () => true);
    } catch (error) {
      if (error instanceof StepEnded) throw error;
      const { name, status } = toldBy(error);
      if (status === 404) throw new StepEnded(storeFindings.find('fetch.gone', { object: key }));
      if (status === 412) throw new StepEnded(storeFindings.find('fetch.changed', { object: key, how: otherNow }));
      if (name === 'InvalidObjectState') throw new StepEnded(storeFindings.find('fetch.archived', { object: key }));
      throw new StepEnded(isDenied(error) ? storeFindings.find('fetch.denied', { object: key, error: `${name}, HTTP ${status}` }) : refused(error, this.description));
    }
    const body = got.Body as Readable;
    const { etag } = etagOf(got.ETag);
    const is = (was: string | undefined, now: string | undefined): boolean => was === undefined || now === undefined || was === now;
    // Not every store honours If-Match.
    const other = !is(object.etag, etag) || !is(object.version, got.VersionId);
    const fromStart = from > 0 && !(got.ContentRange ?? '').startsWith(`bytes ${from}-`);
    if (other || fromStart) body.destroy();
    if (other) throw new StepEnded(storeFindings.find('fetch.changed', { object: key, how: otherNow }));
    if (fromStart) throw new StepEnded(storeFindings.find('fetch.unresumable', { object: key, bytes: from }));
    return body;
  }

  #listed({ Key = '', Size = 0, LastModified, ETag }: _Object): StoredObject {
    return { key: Key.slice(this.#config.prefix.length), size: Size, modifiedAt: atSecond(LastModified), ...etagOf(ETag) };
  }

  async #judge<T>(ask: () => Promise<T>): Promise<Judged<T>> {
    try {
      return { judged: true, found: await ask() };
    } catch (error) {
      if (!isOptional(error)) throw error;
      return { judged: false, why: `${toldBy(error).name}, HTTP ${toldBy(error).status}` };
    }
  }

  /**
   * One call, with its deadline. What concerns the store as a whole is a finding; what `mine` claims of the rest is thrown
   * as it came. A body that it gives is not covered by the deadline; `signal` still ends it.
   */
  async #call<T>(send: (signal: AbortSignal) => Promise<T>, signal: AbortSignal, mine: (error: unknown) => boolean = () => false): Promise<T> {
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new StepEnded(storeFindings.find('store.slow', { store: this.description, error: `no answer within ${this.#callMs / 1000} s` })));
      stop.abort();
    }, this.#callMs);
    const onAbort = (): void => late.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      const sent = send(both);
      sent.catch(() => undefined);
      return await Promise.race([sent, late.promise]);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StepEnded) throw error;
      const problem = storeProblem(error, this.description, this.#config);
      if (problem !== null) throw new StepEnded(problem);
      throw mine(error) ? error : new StepEnded(refused(error, this.description));
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }
}

const otherNow = 'the store has another object under its name now';

/** Rights and calls that a store may lack and still be read. */
const isOptional = (error: unknown): boolean => !(error instanceof StepEnded) && (isDenied(error) || isUnknownCall(error));

function etagOf(etag: string | undefined): { etag?: string } {
  return etag === undefined || etag === '' ? {} : { etag: etag.replaceAll('"', '') };
}

/** A listing knows parts of a second that a head does not. */
function atSecond(at: Date | undefined): Date {
  return new Date(Math.floor((at?.getTime() ?? 0) / 1000) * 1000);
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}
