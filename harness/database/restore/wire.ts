// Statements and COPY data as raw bytes over a `pg` connection. `pg` itself takes JS strings, which corrupt LATIN1 and
// SQL_ASCII dumps without an error; here every byte goes out as it stands in the dump, under its own client_encoding.
import type { Writable } from 'node:stream';
import type { Client, Connection, Submittable } from 'pg';

// What @types/pg leaves out of a Connection.
interface RawConnection {
  readonly stream: Writable;
  sendCopyFail(why: string): void;
}

/**
 * Runs one statement in the simple protocol; result rows are thrown away. Returns the command tag (`CREATE TABLE`).
 * @throws pg's DatabaseError, or a plain Error when the connection is lost.
 */
export function runSimple(client: Client, sql: Buffer): Promise<string> {
  const query = Buffer.allocUnsafe(sql.length + 6);
  query[0] = 0x51; // Query
  query.writeInt32BE(sql.length + 5, 1);
  sql.copy(query, 5);
  query[sql.length + 5] = 0;
  return submit(client, query);
}

/**
 * Runs one statement in the extended protocol, where the server itself refuses a second statement in the same text:
 * what a pattern admitted by its first words cannot carry another command behind them.
 */
export function runSingle(client: Client, sql: Buffer): Promise<string> {
  const parse = Buffer.allocUnsafe(sql.length + 9);
  parse[0] = 0x50; // Parse, unnamed, no parameter types
  parse.writeInt32BE(sql.length + 8, 1);
  parse[5] = 0;
  sql.copy(parse, 6);
  parse.fill(0, sql.length + 6);
  return submit(client, Buffer.concat([parse, BIND_EXECUTE_SYNC]));
}

// Bind (unnamed portal and statement, no formats, no parameters), Execute without a row limit, Sync.
const BIND_EXECUTE_SYNC = Buffer.from([0x42, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0x53, 0, 0, 0, 4]);

function submit(client: Client, message: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let tag = '';
    const query = {
      submit: (connection: Connection) => {
        (connection as unknown as RawConnection).stream.write(message);
      },
      handleCommandComplete: (complete: { text: string }) => {
        tag = complete.text;
      },
      handleReadyForQuery: () => resolve(tag),
      handleError: (error: Error) => reject(error),
      handleRowDescription: () => {},
      handleDataRow: () => {},
      handleEmptyQuery: () => {},
      handlePortalSuspended: () => {},
      handleCopyData: () => {},
      // A COPY FROM stdin that the reader did not know as one has no rows to give.
      handleCopyInResponse: (connection: RawConnection) => connection.sendCopyFail('no data follows'),
    };
    client.query(query as unknown as Submittable);
  });
}

/** A COPY … FROM stdin in progress. */
export interface CopyIn {
  /** Resolves when the server has taken enough that the next chunk may come. @throws as `runSimple` */
  write(rows: Buffer): Promise<void>;
  /** Ends the COPY and returns the number of rows that the server says it stored. */
  end(): Promise<number>;
}

// How much may wait for the server, so that reading and unpacking go on while it works.
const room = 2 * 2 ** 20;

export function startCopy(client: Client, sql: Buffer): CopyIn {
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<number>();
  ended.promise.catch(() => {}); // whoever writes or ends next hears of it
  const message = Buffer.concat([Buffer.from([0x51, 0, 0, 0, 0]), sql, Buffer.from([0])]);
  message.writeInt32BE(sql.length + 5, 1);
  let stream: RawConnection['stream'] | null = null;
  let stored = 0;
  const query = {
    submit: (connection: Connection) => {
      stream = (connection as unknown as RawConnection).stream;
      stream.write(message);
    },
    handleCopyInResponse: () => begun.resolve(),
    handleCommandComplete: (complete: { text: string }) => {
      stored = Number(/^COPY (\d+)$/.exec(complete.text)?.[1]);
    },
    handleReadyForQuery: () => ended.resolve(stored),
    // The server's word, or a lost connection. What is still on its way then, the server drops.
    handleError: (error: Error) => ended.reject(error),
  };
  client.query(query as unknown as Submittable);
  const open = async (): Promise<RawConnection['stream']> => {
    await Promise.race([ended.promise, begun.promise]);
    if (stream === null) throw new Error('a COPY began that was never sent');
    return stream;
  };
  let before = Promise.resolve();
  return {
    async write(rows) {
      const to = await open();
      const length = Buffer.from([0x64, 0, 0, 0, 0]); // CopyData
      length.writeInt32BE(rows.length + 4, 1);
      to.cork();
      to.write(length);
      const gone = new Promise<void>((resolve) => to.write(rows, () => resolve()));
      to.uncork();
      if (to.writableLength > room) await Promise.race([ended.promise, before]);
      before = gone;
    },
    async end() {
      (await open()).write(Buffer.from([0x63, 0, 0, 0, 4])); // CopyDone
      return await ended.promise;
    },
  };
}
