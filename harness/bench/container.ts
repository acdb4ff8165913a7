// From nothing to the first answer of a server in a container, against what one types by hand.
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import pg from 'pg';
import { docker, startInContainer } from '../../fixtures/containers.ts';
import { needing, postgresImage } from '../../fixtures/tools.ts';
import { openScratch } from '../run/scratch.ts';
import { teardown } from '../run/teardown.ts';
import type { ContainerServer } from '../servers/containers.ts';
import type { PlannedRow } from './contenders.ts';
import { measure } from './measure.ts';
import type { Row } from './pair.ts';

const major = 15;

export function containerRow({ signal }: { readonly signal: AbortSignal }): PlannedRow {
  const row: Pick<Row, 'name' | 'what' | 'goal' | 'goalMs'> = { name: 'container', what: 'start a Postgres container, to its first query: docker run, pg_isready and psql do it by hand', goal: null, goalMs: 500 };
  const { lacking } = needing('docker', 'container engine', `image of Postgres ${major}`);
  if (lacking.length > 0) return { row, lacks: lacking.join(', ') };
  const image = postgresImage.replace('{major}', String(major));
  let started: { readonly server: ContainerServer; readonly scratch: string } | null = null;
  const name = `backup-drills-bench-${randomBytes(4).toString('hex')}`;
  const script = `docker run -d --name "$1" -e POSTGRES_PASSWORD=p --tmpfs /var/lib/postgresql/data "$2" > /dev/null
    until docker exec "$1" pg_isready -q -h 127.0.0.1; do [ "$(docker inspect -f '{{.State.Running}}' "$1")" = true ] || exit 1; sleep 0.05; done
    docker exec -e PGPASSWORD=p "$1" psql -XAtq -h 127.0.0.1 -U postgres -c 'SELECT 1'`;
  return {
    row: {
      ...row,
      ours: {
        label: 'startContainer',
        run: async () => {
          const scratch = openScratch({ root: tmpdir(), runId: `bench-${randomBytes(4).toString('hex')}` });
          const began = performance.now();
          started = { server: await startInContainer(scratch, major, { context: { signal } }), scratch: scratch.path };
          return { ms: performance.now() - began, peakBytes: null, stdout: '' };
        },
        check: async () => {
          const client = new pg.Client({ ...started!.server.admin });
          await client.connect();
          const { rows } = await client.query<{ one: number }>('SELECT 1 AS one');
          await client.end();
          const { findings } = await teardown(started!.scratch);
          return rows[0]?.one === 1 && findings.length === 0 ? null : 'did not answer, or left something';
        },
      },
      theirs: {
        label: 'docker run',
        run: async () => {
          try {
            return await measure({ program: 'bash', words: ['-c', script, 'docker', name, image], signal });
          } finally {
            await docker('rm', '--force', '--volumes', name).catch(() => undefined);
          }
        },
        check: async ({ stdout }) => (stdout.trim() === '1' ? null : `answered ${stdout}`),
      },
    },
  };
}
