// Where the drill leaves the restored database for the operator's checks, which run in the same process after it.
import type { Login } from '../servers/postgres.ts';

export interface RestoredPlace {
  /** Reads everything, writes nothing. */
  readonly reader: Login;
  /** The run's clock, in UTC. */
  readonly now: () => Date;
}

// On globalThis, since vitest may load this module anew for each file. Another process has nothing here, and its checks are skipped.
const slot = Symbol.for('backup-drills.restored');
const shelf = globalThis as { [slot]?: RestoredPlace };

export function leaveRestored(place: RestoredPlace): void {
  shelf[slot] = place;
}

export function findRestored(): RestoredPlace | null {
  return shelf[slot] ?? null;
}
