// The connections of one restore.
import { Client } from 'pg';
import type { Login } from '../../servers/postgres.ts';

/** An abort cuts them all, so that a long index build does not hold up a SIGINT. */
export class Sessions {
  readonly #open = new Set<Client>();
  readonly #signal: AbortSignal;
  readonly #cut = () => {
    for (const client of this.#open) (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  };

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#cut);
  }

  async open(to: Login): Promise<Client> {
    this.#signal.throwIfAborted();
    const client = new Client({ host: to.host, port: to.port, user: to.user, password: to.password, database: to.database, application_name: 'backup-drills restore' });
    // The query in hand hears of a lost connection itself; without a listener Node would end the process.
    client.on('error', () => {});
    await client.connect();
    this.#open.add(client);
    return client;
  }

  async close(client: Client): Promise<void> {
    this.#open.delete(client);
    await client.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#cut);
    this.#cut();
    this.#open.clear();
  }
}

// `pg` follows the server's ReadyForQuery: I idle, T in a transaction, E in a failed one.
export function transactionStatus(client: Client): string {
  return (client as unknown as { _txStatus: string | null })._txStatus ?? 'I';
}
