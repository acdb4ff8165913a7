// Statements and COPY data as raw bytes over a `pg` connection. `pg` itself takes JS strings, which corrupt LATIN1 and
// SQL_ASCII dumps without an error; here every byte goes out as it stands in the dump, under its own client_encoding.
import type { Client, Connection, Submittable } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

// What @types/pg leaves out of a Connection.
interface RawConnection {
  readonly stream: { write(bytes: Buffer): boolean };
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

export function startCopy(client: Client, sql: Buffer): CopyIn {
  // Room for a few chunks, so that reading and unpacking go on while the server works.
  const stream = copyFrom('', { highWaterMark: 2 * 2 ** 20 });
  const message = Buffer.concat([Buffer.from([0x51, 0, 0, 0, 0]), sql, Buffer.from([0])]);
  message.writeInt32BE(sql.length + 5, 1);
  const raw = stream as unknown as { connection: RawConnection; submit(connection: RawConnection): void };
  raw.submit = (connection) => {
    raw.connection = connection;
    connection.stream.write(message);
  };
  const failed = new Promise<never>((_, reject) => {
    stream.on('error', reject);
  });
  failed.catch(() => {}); // whoever writes or ends next hears of it
  client.query(stream);
  return {
    async write(rows) {
      if (stream.errored) await failed;
      if (stream.write(rows)) return;
      await Promise.race([new Promise<void>((resolve) => stream.once('drain', resolve)), failed]);
    },
    async end() {
      if (stream.errored) await failed;
      await Promise.race([new Promise<void>((resolve) => stream.end(resolve)), failed]);
      return stream.rowCount;
    },
  };
}
