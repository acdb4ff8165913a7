// The first bytes of a dump: whether they are pg_dump's, and whose they are where they are not.
import { StepEnded } from '../../run/finding.ts';
import { dumpFindings } from './findings.ts';

const headerBytes = 64;

/** Passes the chunks on once the first bytes are pg_dump's. @throws StepEnded (`dump.header-missing`) where they are not. */
export async function* withHeader(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    if (head.length < headerBytes) continue;
    checkHeader(head);
    yield head;
    head = null;
  }
  if (head !== null && head.length > 0) {
    checkHeader(head);
    yield head;
  }
}

function checkHeader(head: Buffer): void {
  const text = head.toString('latin1', 0, 512);
  if (/^--\r?\n-- PostgreSQL database dump\r?\n/.test(text)) return;
  const looksLike = text.startsWith('PGDMP') ? 'a custom-format dump (pg_dump -Fc)'
    : text.startsWith('toc.dat\0') ? 'a tar-format dump (pg_dump -Ft)'
    : /^--\r?\n-- PostgreSQL database cluster dump\r?\n/.test(text) ? 'the output of pg_dumpall'
    : /^(?:\xff\xfe|\xfe\xff|\xef\xbb\xbf)/.test(text) ? 'text with a byte order mark, as PowerShell writes it'
    : text.startsWith('\x1f\x8b') ? 'gzip data once more'
    : 'something else';
  throw new StepEnded(dumpFindings.find('dump.header-missing', { looksLike }));
}
