// The way to a server in a container that has no network: a Unix socket in the scratch directory, each connection to it
// relayed through an `exec` in the container to the server's own loopback. It needs no port, no route and no shared file
// system, so it is the same to a local engine, one behind a VM, over TCP or over SSH, and nobody else can take it.
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { type Socket, createServer } from 'node:net';
import { type Duplex, Transform, type TransformCallback } from 'node:stream';
import type Dockerode from 'dockerode';

export interface Tunnel {
  close(): void;
}

// bash, since it speaks TCP by itself and the official images have it. With $1 it waits until somebody listens; without, a
// refusal ends it at once. When either side ends, so does the other, or a session would outlive its client. It waits for
// what it killed: an orphan would go to process 1, and a postmaster there takes a stranger's signal for a crash of its own.
const relay = `
until { exec 3<>"/dev/tcp/127.0.0.1/$0"; } 2>/dev/null; do
  [ "$1" = wait ] || exit 7
  sleep 0.02
done
cat <&0 >&3 &
cat <&3 &
exec <&- 3>&-
wait -n
kill $(jobs -p) 2>/dev/null
wait`;

/** Listens at `socket` (0600) and relays to `port` on the loopback of the container, until closed or this process ends. */
export async function openTunnel(options: { readonly container: Dockerode.Container; readonly port: number; readonly socket: string }): Promise<Tunnel> {
  const sockets = new Set<Socket>();
  let through = false;
  const admit = async (client: Socket): Promise<void> => {
    try {
      // The first of a server's life waits for it; once one was through, a refusal means that the server is gone.
      const inside = await enter(options, through ? 'go' : 'wait');
      inside.once('data', () => { through = true; });
      join(client, inside);
    } catch {
      client.destroy(); // Why, the engine is asked when a broken connection is judged.
    }
  };
  const server = createServer((client) => {
    sockets.add(client);
    client.on('close', () => sockets.delete(client));
    client.on('error', () => client.destroy());
    void admit(client);
  });
  server.listen(options.socket);
  await once(server, 'listening');
  chmodSync(options.socket, 0o600);
  server.unref();
  return {
    close: () => {
      server.close();
      for (const client of sockets) client.destroy();
    },
  };
}

async function enter({ container, port }: { readonly container: Dockerode.Container; readonly port: number }, how: 'go' | 'wait'): Promise<Duplex> {
  const command = await container.exec({ Cmd: ['bash', '-c', relay, String(port), how], AttachStdin: true, AttachStdout: true, AttachStderr: false, Tty: false });
  return command.start({ hijack: true, stdin: true });
}

function join(client: Socket, inside: Duplex): void {
  const out = new Unframed();
  const end = (): void => {
    inside.destroy();
    client.destroy();
  };
  inside.on('error', end).on('close', () => client.end());
  out.on('error', end);
  client.on('close', () => inside.destroy());
  client.pipe(inside);
  inside.pipe(out).pipe(client);
}

const headerBytes = 8;

/**
 * What a program writes to its standard output, out of the frames in which an engine sends it: a byte for the stream, three
 * of nothing, a length, and the bytes.
 */
export class Unframed extends Transform {
  readonly #header = Buffer.alloc(headerBytes);
  #have = 0;
  #left = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#left === 0) {
        const taken = chunk.copy(this.#header, this.#have, at, at + headerBytes - this.#have);
        at += taken;
        this.#have += taken;
        if (this.#have < headerBytes) break;
        this.#have = 0;
        this.#left = this.#header.readUInt32BE(4);
        if (this.#header[0]! > 2) return done(new Error('the engine sent no frame'));
      } else {
        const part = chunk.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        if (this.#header[0] === 1) this.push(part);
      }
    }
    done();
  }
}
