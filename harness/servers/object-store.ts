// A throw-away object store for a rehearsal, whatever carries it.

export interface ObjectStoreServer {
  readonly runtime: 'embedded' | 'containers';
  /** `http://127.0.0.1:49153` */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}
