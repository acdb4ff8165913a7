// What Postgres answers, as findings: SQLSTATE and names only, since its message, DETAIL and CONTEXT may quote rows.
import { DatabaseError } from 'pg';
import type { Finding } from '../../run/finding.ts';
import type { Place } from '../dump/items.ts';
import { restoreFindings } from './findings.ts';
import type { Operation } from './plan.ts';

/** True where the server or its connection is gone, not the statement at fault. */
export function serverGone(error: unknown): boolean {
  if (error instanceof DatabaseError) return /^57P0[1235]$/.test(error.code ?? '');
  if (!(error instanceof Error)) return false;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return ['ECONNRESET', 'EPIPE', 'ECONNREFUSED', 'ENOENT', 'ERR_STREAM_DESTROYED'].includes(code) || /^(?:Connection terminated|Client has encountered a connection error|Client was closed|Premature close)/.test(error.message);
}

/** The finding for a statement that failed, or null where the error is none of Postgres' about the statement. */
export function statementFinding(error: unknown, operation: Operation, at: Place): Finding | null {
  if (serverGone(error)) return restoreFindings.find('restore.server-died', { line: at.line });
  if (!(error instanceof DatabaseError)) return null;
  const sqlstate = error.code ?? '';
  if (sqlstate === '53100') return restoreFindings.find('restore.disk-full', { line: at.line });
  if (sqlstate === '53200') return restoreFindings.find('restore.out-of-memory', { line: at.line });
  const connects = sqlstate.startsWith('08') || (sqlstate === '42501' && /^permission denied for function dblink/.test(error.message)) || (sqlstate === '42704' && error.message.startsWith('user mapping not found'));
  if (connects) return restoreFindings.find('restore.connects-out', { kind: operation.kind, object: operation.object, line: at.line });
  const copyRow = operation.kind.startsWith('COPY') ? rowOf(error.where) : null;
  const facts = { sqlstate, condition: condition(sqlstate), kind: operation.kind, object: operation.object, line: at.line + (copyRow ?? 0), offset: at.offset, copyRow };
  if (sqlstate === '42501') return restoreFindings.find('restore.permission-denied', facts);
  if (sqlstate.startsWith('23') && /^(?:ALTER TABLE|CREATE (?:UNIQUE )?INDEX)/.test(operation.kind)) {
    return restoreFindings.find('restore.constraint-violated', { ...facts, constraint: error.constraint ?? '', table: error.table ?? operation.object });
  }
  return restoreFindings.find('restore.statement-failed', facts);
}

// `COPY messages, line 17, column body: "…"`: the number alone, from before anything that a row could have written.
function rowOf(where: string | undefined): number | null {
  const match = /(?:^|\n)COPY (?:(?!, line ).)*, line (\d+)/.exec(where ?? '');
  return match === null ? null : Number(match[1]);
}

/** A SQLSTATE in words. Source: appendix A of Postgres' manual; the class speaks where the code has no row. */
function condition(sqlstate: string): string {
  return conditions[sqlstate] ?? conditions[sqlstate.slice(0, 2)] ?? 'an error';
}

const conditions: Readonly<Record<string, string>> = {
  '0A': 'feature not supported',
  '22': 'data exception',
  '22001': 'value too long',
  '22003': 'number out of range',
  '22007': 'invalid date or time',
  '22008': 'date or time out of range',
  '22021': 'character not in the encoding',
  '22023': 'invalid parameter value',
  '22P02': 'value does not fit its type',
  '22P04': 'bad COPY data',
  '22P05': 'character has no equivalent in the encoding',
  '23': 'constraint violation',
  '23502': 'null in a NOT NULL column',
  '23503': 'a row refers to one that is not there',
  '23505': 'duplicate key',
  '23514': 'a row breaks a CHECK',
  '23P01': 'rows break an exclusion constraint',
  '25': 'invalid transaction state',
  '25P02': 'an earlier statement of its transaction failed',
  '2BP01': 'other objects depend on it',
  '38': 'external routine exception',
  '40': 'transaction rolled back',
  '42': 'syntax error or access rule violation',
  '42501': 'permission denied',
  '42601': 'syntax error',
  '42701': 'column exists already',
  '42703': 'undefined column',
  '42704': 'undefined object',
  '42710': 'object exists already',
  '42723': 'function exists already',
  '42804': 'types do not match',
  '42809': 'wrong kind of object',
  '42830': 'invalid foreign key',
  '42883': 'undefined function',
  '42P01': 'undefined table',
  '42P06': 'schema exists already',
  '42P07': 'table exists already',
  '42P16': 'invalid table definition',
  '42P17': 'invalid object definition',
  '3F000': 'undefined schema',
  '53': 'insufficient resources',
  '54': 'a limit of the server was reached',
  '55': 'object not in the state that is needed',
  '55P03': 'a lock was not to be had',
  '57014': 'statement cancelled',
  '58': 'system error outside Postgres',
  '58P01': 'a file of the server is missing',
  P0001: 'an exception raised by the dump’s own code',
  XX: 'internal error of the server',
  XX001: 'corrupt data',
  XX002: 'corrupt index',
};
