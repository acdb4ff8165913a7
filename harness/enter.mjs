// The door of every npm script. Any Node from 12 on must parse this file: it finds the Node that the rest of the
// harness needs, which npm installed beside it, and says in one sentence what to type where something is missing.
import { spawn, spawnSync } from 'child_process';
import { existsSync } from 'fs';
import { constants } from 'os';
import { dirname, join } from 'path';
import { fileURLToPath, pathToFileURL } from 'url';

const neededMajor = 24;
const inconclusive = 2;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const packaged = join(root, 'node_modules', '.bin', 'node');
const words = process.argv.slice(2);

enter();

function enter() {
  if (process.platform === 'win32') return refuse('Windows is not supported: run this inside WSL (type: wsl --install), from a clone that lies in its own file system.');
  if (!existsSync(join(root, 'node_modules', 'commander', 'package.json'))) return refuse('The packages are not installed: type npm ci first.');
  if (majorOf(process.versions.node) >= neededMajor) return runHere();
  // Asked first: a binary of another machine would be read as a shell script.
  const version = (spawnSync(packaged, ['--version'], { encoding: 'utf8' }).stdout || '').trim();
  if (!/^v\d+\.\d+\.\d+$/.test(version)) return refuseWithoutNode();
  if (majorOf(version.slice(1)) < neededMajor) return refuse('The Node in node_modules is ' + version + ' where ' + neededMajor + ' is needed: type npm ci to install it again.');
  return runUnderPackagedNode();
}

function majorOf(version) {
  return Number(version.split('.')[0]);
}

function runHere() {
  process.on('uncaughtException', broken);
  process.on('unhandledRejection', broken);
  import(pathToFileURL(join(root, 'harness', 'cli.ts')).href)
    .then((cli) => cli.main(words))
    .then(leave)
    .catch(broken);
}

/** Ends with this code once everything printed has left: a handle that somebody forgot must not hang a nightly run. */
function leave(code) {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

/** Node's own exit code for an exception is 1, which here means "unverified": a broken harness is 2. */
function broken(error) {
  process.stderr.write(String((error && error.stack) || error) + '\nThe harness itself broke; nothing was proven.\n', () => process.exit(inconclusive));
}

function runUnderPackagedNode() {
  const child = spawn(packaged, [fileURLToPath(import.meta.url)].concat(words), { stdio: 'inherit' });
  const signals = ['SIGTERM', 'SIGHUP', 'SIGINT'];
  const forward = (signal) => {
    // A terminal sends ^C to both of us; passed on, the child would take it for a second, impatient one.
    const fromTerminal = signal === 'SIGINT' && (process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
    if (!fromTerminal) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, forward);
  child.on('error', refuseWithoutNode);
  child.on('exit', (code, signal) => {
    for (const each of signals) process.removeListener(each, forward);
    if (signal === null) process.exit(code);
    process.exitCode = 128 + constants.signals[signal];
    process.kill(process.pid, signal);
  });
}

function refuseWithoutNode() {
  return refuse(
    'Node ' + neededMajor + ' is needed, this is ' + process.version + ', and node_modules holds none that runs: type npm ci --ignore-scripts=false' +
      ' (install scripts were off, or node_modules came from another machine), or put Node ' + neededMajor + ' first on PATH.',
  );
}

function refuse(sentence) {
  process.stderr.write(sentence + '\n', () => process.exit(inconclusive));
}
