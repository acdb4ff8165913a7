import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openRig, query } from './rig.ts';

// That many rows cost nothing is shown in harness/bench; here one value is itself large.
test('a row of 20 MB costs a few times its size', async () => {
  const rig = await openRig();
  try {
    const file = join(rig.work, 'large.sql');
    const out = createWriteStream(file);
    out.write("SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\nCREATE TABLE public.large (id integer, body text);\nCOPY public.large (id, body) FROM stdin;\n");
    const rows = 20_000;
    for (let id = 0; id < rows; id++) {
      if (!out.write(`${id}\t${String(id).repeat(3)}${'x'.repeat(1000)}\n`)) await once(out, 'drain');
    }
    out.write(`${rows}\t${'y'.repeat(20_000_000)}\n\\.\nALTER TABLE ONLY public.large ADD CONSTRAINT large_pkey PRIMARY KEY (id);\n`);
    out.end();
    await once(out, 'close');
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    let most = before;
    const { checker, evidence } = await rig.restore(file, {
      progress: () => {
        most = Math.max(most, process.memoryUsage.rss());
      },
    });
    expect(evidence.rowsCopied).toBe(String(rows + 1));
    expect(await query(checker, 'SELECT count(*)::int AS n, max(length(body)) AS longest FROM public.large')).toEqual([{ n: rows + 1, longest: 20_000_000 }]);
    expect(most - before).toBeLessThan(160e6);
  } finally {
    await rig.close();
  }
}, 300_000);
