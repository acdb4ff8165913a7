// npm run check: what can be asserted of a store without a key, by name. Needs no key; only `store` reads artifacts.
import type { Command } from 'commander';
import type { CliCommand } from '../cli.ts';
import { exitCodes } from '../run/verdict.ts';
import { carryHere } from '../suite/here.ts';
import { type StoreCheckName, storeCheckPlan, storeChecks, storeScope } from '../unit/check.ts';
import { complain, load, oneRun, refusal, reportOptions, type RunWords, sourceOptions } from './one-run.ts';

const known = Object.keys(storeChecks) as StoreCheckName[];

export const command: CliCommand = {
  name: 'check',
  summary: `Checks a store by name: ${known.join(', ')}. retention: which of the days and months that should be kept are missing as of now; ledger: whether the store holds what was published there, and nothing else; store: whether its bytes still are what was published, all of them within so many days. Without names: all that the configuration is enough for.`,
  configure: (command: Command) => {
    sourceOptions(command.argument('[names...]', `of ${known.join(', ')}`), 'check', { oneSet: false })
      .option('--all', 'store: read everything now, whatever the budget');
    reportOptions(command)
      .addHelpText('after', '\nWhat should be kept is retention, cadence and slack of the configuration. The schema has a command of its own: npm run check:schema.\nExit codes: 0 verified, 1 unverified, 2 inconclusive, bad usage or bad configuration.\nA run writes reports/out/<run>/record.json and junit.xml, and is logged in reports/backup-checks.md.');
  },
  run: async (raw, names) => {
    const words = raw as unknown as RunWords & { readonly all?: true };
    const unknown = names.filter((name) => !known.includes(name as StoreCheckName));
    if (unknown.length > 0) return complain(`no check is named ${unknown.map((name) => `'${name}'`).join(', ')}; there ${known.length === 1 ? 'is' : 'are'}: ${known.join(', ')}${unknown.includes('schema') ? ', and npm run check:schema' : ''}`);
    const loaded = await load(words);
    if (loaded === null) return exitCodes.inconclusive;
    const refused = refusal(words, loaded, null);
    if (refused !== null) return complain(refused);
    const { config } = loaded;
    // The sample is one set: there is nothing in it that could be missing.
    if (config.mode === 'rehearsal') return complain("a check of a store needs one: name yours in drill.config.ts, stores: [{ name: 'local', kind: 'directory', path: '/var/backups/…' }], or try one directory with --store DIR.");
    const store = words.from ?? null;
    // Without names: all that the configuration is enough for.
    const lacking = (names.length === 0 ? known : (names as StoreCheckName[])).map((name) => ({ name, lacks: storeChecks[name].lacks({ config, store }) }));
    const checks = [...new Set(lacking.flatMap(({ name, lacks }) => (lacks === null ? [name] : [])))];
    const [why] = lacking.flatMap(({ lacks }) => lacks ?? []);
    if (why !== undefined && (names.length > 0 || checks.length === 0)) return complain(why);
    const settings = (scratch: string) => ({ config, store, scratch, checks, all: words.all === true });
    return oneRun(words, loaded, { kind: 'check', scope: storeScope(checks), plan: storeCheckPlan(settings('')), more: [], carry: async (run) => carryHere(storeCheckPlan, run), settings, keep: false, engine: null, afterwards: () => [] });
  },
};
