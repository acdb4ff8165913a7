// What a drill of the whole unit has to say of itself.
import { defineFindings, obstacle } from '../run/finding.ts';

export const unitFindings = defineFindings({
  'run.store-changed': obstacle<{ changed: number }>(
    ({ changed }) => `the drill changed the store that it read: ${changed} ${changed === 1 ? 'entry' : 'entries'} of it came or went`,
    () => 'A drill never writes to a store. This is a defect of the harness: do not point it at real backups, and report it with record.json.',
  ),
});
