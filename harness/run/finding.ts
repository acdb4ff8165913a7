// Findings: what a step has to say about a backup. A finding is a value, never an exception;
// its code is stable, its words live in one table row, its facts are counts, hashes and names.

/** `error` fails its step; `warning` and `note` do not. */
export type Severity = 'error' | 'warning' | 'note';

/** A measured fact. Counts beyond 2^53 are decimal strings. Never a row's value, never a secret. */
export type Fact = string | number | boolean | null | readonly string[];
export type Facts = Readonly<Record<string, Fact>>;

export interface Finding {
  readonly code: string;
  readonly severity: Severity;
  /** False where an `error` means that the backup could not be judged at all: the step is errored, not failed. */
  readonly judged: boolean;
  /** Lower case, no full stop. */
  readonly message: string;
  /** A whole sentence: what to do next. */
  readonly hint: string;
  readonly facts: Facts;
}

/** How one code is worded. The only place where its words stand. */
export interface FindingRow<F extends Facts> {
  readonly severity: Severity;
  readonly judged: boolean;
  readonly message: (facts: F) => string;
  readonly hint: (facts: F) => string;
}

type Words<F extends Facts> = (facts: F) => string;

/** A defect of the backup: its step is failed, the run unverified. */
export const defect = <F extends Facts>(message: Words<F>, hint: Words<F>): FindingRow<F> => ({ severity: 'error', judged: true, message, hint });
/** Something that kept the backup from being judged: its step is errored, the run inconclusive. */
export const obstacle = <F extends Facts>(message: Words<F>, hint: Words<F>): FindingRow<F> => ({ severity: 'error', judged: false, message, hint });
/** Worth knowing, and worth acting on; fails nothing. */
export const warning = <F extends Facts>(message: Words<F>, hint: Words<F>): FindingRow<F> => ({ severity: 'warning', judged: true, message, hint });
/** Worth knowing; fails nothing. */
export const note = <F extends Facts>(message: Words<F>, hint: Words<F>): FindingRow<F> => ({ severity: 'note', judged: true, message, hint });

// A row's words take their own facts, so rows of one table have no common parameter type but `never`.
type AnyRow = FindingRow<never>;
type FactsOf<R> = R extends FindingRow<infer F> ? F : never;

export interface FindingTable<R extends Record<string, AnyRow>> {
  readonly rows: R;
  /** Makes the finding of one row. */
  readonly find: <C extends keyof R & string>(code: C, facts: FactsOf<R[C]>) => Finding;
}

/** A part's table of findings, keyed by code (`dump.footer-missing`). */
export function defineFindings<R extends Record<string, AnyRow>>(rows: R): FindingTable<R> {
  return {
    rows,
    find(code, facts) {
      const row = rows[code] as unknown as FindingRow<Facts>;
      return { code, severity: row.severity, judged: row.judged, message: row.message(facts), hint: row.hint(facts), facts };
    },
  };
}

/**
 * Ends a step early with findings. Thrown by a stage that has nothing to hand on (a truncated dump, an unreadable
 * store); the runner turns it into the step's outcome. Anything else thrown is a broken harness.
 */
export class StepEnded extends Error {
  readonly findings: readonly Finding[];
  /** What had been measured by then. */
  readonly evidence: Readonly<Record<string, unknown>>;
  constructor(findings: readonly Finding[] | Finding, evidence: Readonly<Record<string, unknown>> = {}) {
    const list = Array.isArray(findings) ? (findings as readonly Finding[]) : [findings as Finding];
    super(list.map((finding) => `${finding.code}: ${finding.message}`).join('; '));
    this.name = 'StepEnded';
    this.findings = list;
    this.evidence = evidence;
  }
}
