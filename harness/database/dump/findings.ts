// What can be wrong with a dump file, before any server has seen it.
import { defect, defineFindings, obstacle } from '../../run/finding.ts';

const retake = 'Use an older backup set, and look at the log of the night that made this one: pg_dump or its pipe ended early.';

export const dumpFindings = defineFindings({
  'dump.empty': defect<{ compressedBytes: string }>(
    () => 'the dump is empty',
    () => 'pg_dump wrote nothing: look whether its exit status is checked (set -o pipefail) and whether it could log in; use an older backup set.',
  ),
  'dump.not-gzip': defect<{ looksLike: string }>(
    ({ looksLike }) => `the dump is no gzip file but ${looksLike}`,
    () => 'Look at how this file was made and stored; a dump is the plain output of pg_dump through gzip.',
  ),
  'dump.gzip-truncated': defect<{ compressedBytes: string; decompressedBytes: string }>(
    ({ compressedBytes }) => `the gzip file ends early, after ${compressedBytes} bytes`,
    () => 'It was cut while written or copied (disk full, killed job): compare it with its other copies, else use an older backup set.',
  ),
  'dump.gzip-corrupt': defect<{ problem: string; decompressedBytes: string }>(
    ({ problem }) => `the gzip file is corrupt: ${problem}`,
    () => 'Bytes changed after it was written: look for another copy of the same set, else use an older one, and check the disk it came from.',
  ),
  'dump.gzip-trailing': defect<{ offset: string; trailingBytes: string; what: string }>(
    ({ trailingBytes, what }) => `${trailingBytes} bytes follow the end of the gzip data: ${what}`,
    () => 'A backup is one gzip member that ends where its file ends: two jobs may have written into one file. Use an older backup set and make the writer use a temporary name.',
  ),
  'dump.too-large': obstacle<{ limitBytes: string }>(
    ({ limitBytes }) => `the dump decompresses to more than ${limitBytes} bytes`,
    () => 'If the database really has grown so large, raise the limit on decompressed bytes in the configuration; else treat the file as hostile.',
  ),
  'dump.ratio': obstacle<{ limitRatio: number; compressedBytes: string }>(
    ({ limitRatio }) => `the dump decompresses to more than ${limitRatio} times its size`,
    () => 'No ordinary dump does so: treat the file as hostile. If it is yours, raise the limit on the ratio in the configuration.',
  ),
  'dump.header-missing': defect<{ looksLike: string }>(
    ({ looksLike }) => `the file is not a plain dump of pg_dump but ${looksLike}`,
    ({ looksLike }) =>
      looksLike.startsWith('a custom-format')
        ? 'Take plain SQL instead: pg_dump --format=plain | gzip. Such a file becomes plain SQL by pg_restore -f dump.sql FILE.'
        : 'Look at what the backup job runs: a dump begins with the line "-- PostgreSQL database dump". Use an older backup set.',
  ),
  'dump.footer-missing': defect<{ where: string; line: number }>(
    ({ where, line }) => `the dump is cut off at line ${line}, ${where}`,
    () => `psql would load it without an error, with rows or constraints missing. ${retake}`,
  ),
  'dump.after-footer': defect<{ line: number; what: string }>(
    ({ line, what }) => `${what} stands behind the end of the dump, at line ${line}`,
    () => 'pg_dump writes nothing there: somebody added to the file, or two dumps were written into it. Use another copy or an older backup set.',
  ),
  'dump.no-tables': defect<{ statements: string }>(
    () => 'the dump holds no table',
    () => 'The wrong database may have been dumped, or a role that sees nothing: look at the arguments of pg_dump in the backup job.',
  ),
  'dump.meta-command': defect<{ command: string; line: number }>(
    ({ command, line }) => `the dump holds the psql meta-command ${command}, at line ${line}`,
    () => 'Do not feed this file to psql: a meta-command can run programs as you. No pg_dump writes it, so treat the file as tampered with and use another copy.',
  ),
  'dump.copy-program': defect<{ what: string; line: number }>(
    ({ what, line }) => `the dump holds a COPY with ${what}, at line ${line}`,
    () => 'Do not restore this file as a superuser: it would run a program or touch files on the server. No pg_dump writes it, so treat it as tampered with.',
  ),
  'dump.encoding-unsupported': obstacle<{ encoding: string; line: number }>(
    ({ encoding }) => `the dump is written in ${encoding}, in which quotes can hide inside characters`,
    () => 'Take the dump without --encoding: pg_dump then uses the encoding of the database, which is always safe.',
  ),
  'dump.statement-too-large': obstacle<{ line: number; limitBytes: number }>(
    ({ line, limitBytes }) => `the statement or row at line ${line} is larger than ${limitBytes} bytes`,
    () => 'If such a value is yours, raise the limit on a statement in the configuration, and give the machine that much memory twice.',
  ),
  'dump.too-many-statements': obstacle<{ line: number; limitBytes: number }>(
    ({ line, limitBytes }) => `the statements of the dump, without any rows, are too many to be listed in ${limitBytes} bytes; the list is full at line ${line}`,
    () => 'A database of half a million tables or two million large objects makes as many. If it is not yours, treat the file as hostile; if it is, dump its schemas one by one.',
  ),
  'dump.syntax': defect<{ what: string; line: number }>(
    ({ what, line }) => `the dump holds what no pg_dump writes: ${what}, at line ${line}`,
    () => 'Bytes of the dump were lost or changed before it was compressed: look for another copy of the same set, else use an older one.',
  ),
});
