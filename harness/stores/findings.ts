// What can be said of a store and of the bytes it holds.
import { defect, defineFindings, note, obstacle, warning } from '../run/finding.ts';

const names = (list: readonly string[], count: number): string => `${list.join(', ')}${count > list.length ? ` and ${count - list.length} more` : ''}`;

export const storeFindings = defineFindings({
  // The store itself.
  'store.missing': obstacle<{ store: string; why: string }>(
    ({ store, why }) => `the store cannot be found: ${store}: ${why}`,
    () => 'Mount it or correct its path in the configuration; nothing is known about the backups before that.',
  ),
  'store.unreadable': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the store cannot be read: ${store} (${error})`,
    () => 'Give the user who runs the drill read access to it, or repair the mount or disk; unreadable backups are not missing backups.',
  ),
  'store.denied': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the store may not be listed with this credential: ${store} (${error})`,
    () => 'Give the credential of the drill the right to list the bucket and to read its objects (docs/stores.md names both for each provider); denied is not missing.',
  ),
  'store.unreachable': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the store cannot be reached: ${store} (${error})`,
    () => 'Look at its endpoint in the configuration, at the network, the name server and HTTPS_PROXY of this host, then run the drill again.',
  ),
  'store.slow': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the store does not answer in time: ${store} (${error})`,
    () => 'It was asked several times, within a deadline. Look at its status and at the network, and run the drill again later.',
  ),
  'store.failing': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the store fails: ${store} (${error})`,
    () => 'The fault is on its side, and it was asked several times. Look at its status and run the drill again later.',
  ),
  'store.refused': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the store refuses the request: ${store} (${error})`,
    () => 'Compare endpoint, region and pathStyle in the configuration with what the provider documents.',
  ),
  'store.wrong-secret': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the secret does not belong to the access key: ${store} (${error})`,
    () => 'Set the variable that secretAccessKey names to the secret of that very key; a blank or a quote too many is enough.',
  ),
  'store.unknown-key': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the store does not know the access key: ${store} (${error})`,
    () => 'It was deleted, or belongs to another endpoint, or its session token is not its own: set the variables that accessKeyId and sessionToken name.',
  ),
  'store.expired': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the credential has expired: ${store} (${error})`,
    () => 'Fetch a new one that lasts as long as the drill, or give the drill a key of its own that lists and reads and does not expire.',
  ),
  'store.clock-skew': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the clock of this host and that of the store are too far apart: ${store} (${error})`,
    () => 'Set the clock of this host (timedatectl): with a wrong one no age that a drill measures is right either.',
  ),
  'store.wrong-region': obstacle<{ store: string; configured: string; actual: string | null }>(
    ({ store, configured, actual }) => `the bucket lies in ${actual === null ? 'another region' : `region ${actual}`}, not in ${configured}: ${store}`,
    ({ actual }) => `Write region: '${actual ?? '…'}' and the endpoint of that region in the configuration; a redirect is not followed, since it could lead anywhere.`,
  ),
  'store.tls': obstacle<{ store: string; error: string }>(
    ({ store, error }) => `the store cannot prove who it is: ${store} (${error})`,
    ({ error }) =>
      error === 'EPROTO'
        ? 'What answers there does not speak TLS: correct the port in the endpoint, or write http:// where no encryption is meant.'
        : 'Its certificate is not for this name, has expired, or comes from an authority that this host does not know (NODE_EXTRA_CA_CERTS names the file of another). There is no switch to go on without.',
  ),
  'store.listing-unsound': defect<{ store: string; how: string }>(
    ({ store, how }) => `the store's listing cannot be trusted: ${store}: ${how}`,
    () => 'What it does not show may be there or not. Look for a known fault of that server, list the bucket with another client, and drill again.',
  ),
  'store.other-application': defect<{ store: string; expected: string; actual: string }>(
    ({ store, expected, actual }) => `the store belongs to ${actual}, not to ${expected}: ${store} (its store.json says so)`,
    () => 'Correct the store in the configuration, or `application` if that is wrong; if neither is, find out who writes to whose bucket.',
  ),
  'store.label-unreadable': defect<{ store: string; why: string }>(
    ({ store, why }) => `the store's store.json does not say whose it is: ${store}: ${why}`,
    () => 'Write { "application": "NAME" } into it with the credential that publishes, or find out who overwrote it.',
  ),
  'store.writable': warning<{ store: string }>(
    ({ store }) => `the credential of the drill may write or delete: ${store}`,
    () => 'Whoever takes over the drill host could destroy the backups with it: make a key that lists and reads, and nothing else (docs/stores.md).',
  ),

  // What it holds.
  'catalog.empty': defect<{ store: string; found: number; first: readonly string[] }>(
    ({ store, found, first }) => `no backup set in ${store}; ${found === 0 ? 'it is empty' : `found instead: ${names(first, found)}`}`,
    () => 'Name a dump after its UTC date, db-YYYY-MM-DD.sql.gz (encrypted: db-YYYY-MM-DD.sql.gz.age), or point the store at the directory that holds such files; if it did hold them, find out who emptied it before the next backup runs.',
  ),
  'catalog.stray': warning<{ count: number; first: readonly string[] }>(
    ({ count, first }) => `${count === 1 ? 'an entry belongs' : `${count} entries belong`} to no backup: ${names(first, count)}`,
    () => 'Move what is none of the backups out of the store, or rename it if it is one.',
  ),
  'catalog.unparseable-set-name': defect<{ count: number; first: readonly string[] }>(
    ({ count, first }) => `${count === 1 ? 'a name looks' : `${count} names look`} like a backup set's and ${count === 1 ? 'is' : 'are'} not: ${names(first, count)}`,
    () => 'A set is named db-YYYY-MM-DD or db-YYYY-MM-DDTHHMMSSZ (a real UTC date), then .sql.gz, .manifest.json or .globals.sql, then .age if encrypted; rename it, and correct the script that named it.',
  ),
  'catalog.future': defect<{ sets: readonly string[]; now: string }>(
    ({ sets, now }) => `dated in the future: ${sets.join(', ')} (it is ${now})`,
    () => 'It is set aside and never counts as newest. Compare the clocks of this host and of the one that takes the backups, then rename or remove the set.',
  ),
  'catalog.irregular': defect<{ entries: readonly string[] }>(
    ({ entries }) => `named like a backup, but no regular file: ${entries.join(', ')}`,
    () => 'Links and special files are never followed. Put the file itself in its place, and find out who put the other thing there.',
  ),
  'catalog.denied': obstacle<{ entries: readonly string[] }>(
    ({ entries }) => `may not be read: ${entries.join(', ')}`,
    () => 'It is there, but this user may not look at it: give the drill read access and run it again.',
  ),
  'catalog.ambiguous': defect<{ artifacts: readonly string[] }>(
    ({ artifacts }) => `stored both encrypted and in plain: ${artifacts.join(', ')}`,
    () => 'The encrypted one is drilled. If the store is off-host, plain data has leaked there: remove the plain file, and correct what uploaded it.',
  ),
  'catalog.dump-missing': defect<{ sets: readonly string[] }>(
    ({ sets }) => `no dump in the backup set of ${sets.join(', ')}`,
    () => 'Its manifest or globals are there and its dump is gone, so the set restores nothing: look for who deleted or renamed it, and take a new backup.',
  ),
  'catalog.unfinished-upload': warning<{ count: number; first: readonly string[] }>(
    ({ count, first }) => `${count} unfinished ${count === 1 ? 'upload' : 'uploads'}: ${names(first, count)}`,
    () => 'If no backup is running now, an earlier one was killed: read its log, then remove the temporary files.',
  ),
  'catalog.hidden': defect<{ artifacts: readonly string[]; count: number }>(
    ({ artifacts, count }) => `deleted, and newer than all that is left: ${names(artifacts, count)}`,
    () => 'Its versions still exist under a delete marker: find out who deleted it, and bring it back by deleting the marker with the credential of an administrator.',
  ),
  'catalog.listing-incomplete': defect<{ artifacts: readonly string[]; count: number }>(
    ({ artifacts, count }) => `there, and not in the listing: ${names(artifacts, count)}`,
    () => 'The listing of the store lies: look for a known fault of that server, and list the bucket with another client. A drill would choose an older set.',
  ),
  'catalog.not-judged': note<{ what: readonly string[]; why: string }>(
    ({ what, why }) => `not judged: ${what.join(', ')} (${why})`,
    () => 'The credential has no right to list them, or the store keeps none. Nothing is known of them; that is not "none". docs/stores.md names the rights.',
  ),
  'catalog.rclone-crypt': obstacle<{ store: string; first: readonly string[] }>(
    ({ store, first }) => `${store} was written through an rclone crypt remote, which the drill does not read: ${first.join(', ')}`,
    () => 'Copy the backups through a plain remote (they are encrypted with age already), or drill a directory that rclone copy has decrypted them into.',
  ),

  // Its way to scratch.
  'fetch.denied': obstacle<{ object: string; error: string }>(
    ({ object, error }) => `${object} may not be read (${error})`,
    () => 'It is there, but this user may not read it: give the drill read access and run it again.',
  ),
  'fetch.gone': defect<{ object: string }>(
    ({ object }) => `${object} was listed and is not there`,
    () => 'Either retention removed it during the drill, or the listing lies: run the drill again, and if it happens again look at what else writes to the store.',
  ),
  'fetch.archived': obstacle<{ object: string }>(
    ({ object }) => `${object} lies in an archive (Glacier) and cannot be read before it is restored from there`,
    () => 'Restore it to the standard class, which takes hours and counts into the recovery time, or let the lifecycle rule leave the newest sets alone.',
  ),
  'fetch.changed': obstacle<{ object: string; how: string }>(
    ({ object, how }) => `${object} changed while it was read: ${how}`,
    () => 'A published backup never changes: find out what writes to it, and drill again when that has ended.',
  ),
  'fetch.short': obstacle<{ object: string; bytes: number; expected: number; attempts: number }>(
    ({ object, bytes, expected, attempts }) => `${object} gave ${bytes} of ${expected} bytes, in ${attempts} attempts`,
    () => 'The store or the way to it cuts transfers; look at its health and run the drill again.',
  ),
  'fetch.unresumable': obstacle<{ object: string; bytes: number }>(
    ({ object, bytes }) => `${object} was cut after ${bytes} bytes, and the store gives it from its start only`,
    () => 'The store does not honour Range, so that a cut transfer cannot go on where it ended: run the drill again, over a steadier way to it.',
  ),
  'fetch.long': obstacle<{ object: string; expected: number }>(
    ({ object, expected }) => `${object} gave more than the ${expected} bytes that were listed`,
    () => 'Something writes to it, or the store lies about its size: find out which, and run the drill again.',
  ),
  'fetch.stalled': obstacle<{ object: string; bytes: number; idleMs: number; attempts: number }>(
    ({ object, bytes, idleMs, attempts }) => `${object} sent nothing for ${idleMs} ms after ${bytes} bytes, in ${attempts} attempts`,
    () => 'The store or the network hangs; look at its health and run the drill again.',
  ),
  'fetch.timeout': obstacle<{ object: string; bytes: number; totalMs: number }>(
    ({ object, bytes, totalMs }) => `${object} was not read within ${totalMs} ms (${bytes} bytes came)`,
    () => 'Raise the limit if the backup has grown, else look at why the store is slow, and run the drill again.',
  ),
  'fetch.read-failed': obstacle<{ object: string; error: string; bytes: number }>(
    ({ object, error, bytes }) => `${object} cannot be read past byte ${bytes} (${error})`,
    () => 'EIO means a failing disk or mount: copy the backups elsewhere first, then repair it and run the drill again.',
  ),

  // Decryption.
  'decrypt.no-identity': obstacle<{ object: string }>(
    ({ object }) => `${object} is encrypted and no age identity is configured`,
    () => 'Give the drill the identity file that age-keygen wrote, as keys: { identityFile: … } in the configuration, and run it again; nothing of this set can be judged without it.',
  ),
  'decrypt.bad-identity': obstacle<{ line: number; why: string }>(
    ({ line, why }) => `line ${line} of the age identities is none: ${why}`,
    () => 'An identity file holds one AGE-SECRET-KEY-1… per line, and comments that start with #; write it anew with age-keygen -o or from the paper sheet.',
  ),
  'decrypt.wrong-recipient': defect<{ object: string; recipients: readonly string[]; tried: readonly string[] }>(
    ({ object, tried }) => `${object} is not encrypted to ${tried.length === 1 ? 'the key' : `any of the ${tried.length} keys`} that this drill holds`,
    ({ tried }) => `The drill's public key is ${tried.join(', ')}. If the backup script does not name it as a recipient, correct the script and take a new backup at once; if it names it now, this set is of another key: give the drill that one. A key that is lost takes every backup made for it alone.`,
  ),
  'decrypt.truncated': defect<{ object: string; where: string }>(
    ({ object, where }) => `${object} does not end as age wrote it: ${where}`,
    () => 'The upload was cut or its end was altered; send the backup again if the host still has it, and drill an older set with --date meanwhile.',
  ),
  'decrypt.corrupt': defect<{ object: string; where: string }>(
    ({ object, where }) => `${object} was altered after it was encrypted: ${where}`,
    () => 'Nothing of it is trusted. Drill an older set with --date, and find out whether disk, transfer or a person changed it.',
  ),
  'decrypt.not-age': defect<{ object: string; startsWith: string }>(
    ({ object, startsWith }) => `${object} is named .age and is not encrypted by age (it starts like ${startsWith})`,
    () => 'If it holds plain data, it has leaked to whoever reads the store: remove it there, and correct what encrypts before the upload.',
  ),
  'decrypt.armored': obstacle<{ object: string }>(
    ({ object }) => `${object} is armored age (text), which the drill does not read`,
    () => 'Encrypt without age -a: armor makes backups a third larger. To read this one by hand: age -d -i KEYFILE.',
  ),
  'decrypt.empty': defect<{ object: string }>(
    ({ object }) => `${object} decrypts to nothing: an empty input was encrypted`,
    () => 'What fed age failed without being noticed: read the log of that backup, let its script fail on a broken pipe (set -o pipefail), and take a new one.',
  ),
  'decrypt.suffix-missing': defect<{ object: string }>(
    ({ object }) => `${object} is encrypted by age, but its name does not end in .age`,
    () => 'Rename it so that a restore at night knows that it needs a key, and correct the script that named it.',
  ),

  // Publishing; drills never do.
  'publish.exists': obstacle<{ object: string }>(
    ({ object }) => `${object} is in the store already`,
    () => 'A published backup is never overwritten: publish under another set id.',
  ),
  'publish.unverified': obstacle<{ object: string }>(
    ({ object }) => `${object} does not read back as it was written`,
    () => 'Do not count on it. Look at the health of the target, then publish again under another set id.',
  ),
});
