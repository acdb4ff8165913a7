// What reading the stored bytes again, without a key, has to say.
import { defect, defineFindings, note, obstacle, warning } from '../run/finding.ts';

const spelled = (list: readonly string[]): string => list.join(', ');
const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1_000_000)} MB`;

export const rereadFindings = defineFindings({
  'reread.not-encrypted': defect<{ artifact: string; why: string }>(
    ({ artifact, why }) => `${artifact} is not encrypted as it should be: ${why}`,
    () => 'Whoever reads the store may be able to read it. See what put it there; if personal data lay there in the clear, that is an incident of its own.',
  ),
  'reread.recipients-differ': defect<{ artifact: string; stanzas: readonly string[]; expected: readonly string[] }>(
    ({ artifact, stanzas, expected }) => `${artifact} is sealed for ${spelled(stanzas)}, expected ${spelled(expected)}`,
    () => 'Somebody else may be able to open it, or the recovery key may not. Compare the recipients file on the production host with the keys that you hold.',
  ),
  'reread.private-key': defect<{ objects: readonly string[] }>(
    ({ objects }) => `a private key of age lies in the store: ${spelled(objects)}`,
    () => 'Whoever reads the store can open every backup in it. Make new keys, encrypt to them from tonight on, and remove this one with all its versions.',
  ),
  'reread.not-scanned': warning<{ count: number; objects: readonly string[] }>(
    ({ count, objects }) => `${count} ${count === 1 ? 'object is' : 'objects are'} too large to be looked through for keys: ${spelled(objects)}`,
    () => 'Nothing of that size belongs beside the sets. Look at it, and move it away.',
  ),
  'reread.overdue': defect<{ count: number; artifacts: readonly string[]; days: number }>(
    ({ count, artifacts, days }) => `${count} ${count === 1 ? 'artifact was' : 'artifacts were'} not read within ${days} days: ${spelled(artifacts)}`,
    () => 'Run the check every day, with a budget that is large enough, or once with --all.',
  ),
  'reread.budget-too-small': defect<{ bytes: number; days: number; neededADay: number; budget: number }>(
    ({ bytes, days, neededADay, budget }) => `${megabytes(bytes)} in ${days} days are ${megabytes(neededADay)} a day, and ledger.reread.budget is ${megabytes(budget)}`,
    () => 'Raise the budget, or the days.',
  ),
  'reread.begun': note<{ artifacts: number }>(
    ({ artifacts }) => `nothing is known of what was read before: all ${artifacts} artifacts are due`,
    () => 'Right for the first run; later it means that the file of ledger.reread.state was lost.',
  ),
  'reread.state-unreadable': obstacle<{ path: string; why: string }>(
    ({ path, why }) => `what was read of the store cannot be kept in ${path}: ${why}`,
    () => 'Put the file or its directory right; removed, everything is read again.',
  ),
});
