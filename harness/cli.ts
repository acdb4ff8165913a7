// The one parser of commands. Each command is a file in cli/; what they print and how they exit is theirs.
import { Command, CommanderError } from 'commander';
import { exitCodes } from './run/verdict.ts';
import { keepYoungSmall } from './run/young.ts';

/** What a file in cli/ exports. */
export interface CliCommand {
  readonly name: string;
  readonly summary: string;
  /** Declares options, arguments and further help. */
  readonly configure: (command: Command) => void;
  /** @returns the exit code: 0 verified (or done), 1 unverified (or failed), 2 could not judge, bad usage, bad configuration. */
  readonly run: (options: Record<string, unknown>, rest: readonly string[]) => Promise<number>;
}

// Loaded only when named: `test` must not need what `drill` needs, nor pay for it.
const commands: Readonly<Record<string, () => Promise<{ command: CliCommand }>>> = {
  drill: async () => import('./cli/drill.ts'),
  check: async () => import('./cli/check.ts'),
  'check:schema': async () => {
    // Before its modules are loaded, which would have made the heap grow.
    keepYoungSmall();
    return import('./cli/check-schema.ts');
  },
  bench: async () => import('./cli/bench.ts'),
  test: async () => import('./cli/test.ts'),
  lint: async () => import('./cli/lint.ts'),
};

/** Runs one command line, without the interpreter's own words. */
export async function main(words: readonly string[]): Promise<number> {
  const name = words[0] ?? '';
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) {
    const known = Object.keys(commands).map((command) => `npm run ${command}`).join(', ');
    const help = name === '' || name === '--help' || name === '-h';
    (help ? process.stdout : process.stderr).write(help ? `Commands: ${known}. Each takes -- --help.\n` : `no command is named '${name}'; there are: ${known}\n`);
    return help ? 0 : exitCodes.inconclusive;
  }
  const { command } = await load();
  let code: number = exitCodes.inconclusive;
  const parser = new Command(`npm run ${command.name} --`).description(command.summary).exitOverride().showHelpAfterError(`(npm run ${command.name} -- --help tells more)`).helpOption('-h, --help', 'say what the command does');
  command.configure(parser);
  parser.action(async () => {
    code = await command.run(parser.opts(), parser.args);
  });
  const swallowed = takenByNpm(parser, process.env);
  if (swallowed !== null) {
    process.stderr.write(`npm took ${swallowed} for an option of its own: write npm run ${command.name} -- ${swallowed}, with the two dashes.\n`);
    return exitCodes.inconclusive;
  }
  try {
    await parser.parseAsync(words.slice(1), { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.inconclusive;
    throw error;
  }
}

/**
 * An option that was typed without the `--` in front: npm keeps it, tells it by its environment alone, and a schedule that
 * meant `--real` would rehearse for ever.
 */
function takenByNpm(parser: Command, environment: NodeJS.ProcessEnv): string | null {
  const taken = parser.options.find(({ long }) => environment[`npm_config_${(long ?? '').slice(2).replaceAll('-', '_')}`] !== undefined);
  return taken?.long ?? null;
}
