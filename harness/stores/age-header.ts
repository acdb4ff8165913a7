// The header of an age file, read without a key: how it is sealed, and for how many (https://c2sp.org/age#header). Which recipients
// they are, nobody can tell from an X25519 stanza: that is what it is for.

export const ageIntro = 'age-encryption.org/v1\n';
/** No header of age is longer: a thousand recipients fit. */
export const ageHeaderLimit = 256 * 1024;

/** The types of a header's stanzas, in order (`X25519`), or why it is none. Hostile bytes are refused, never guessed at. */
export function stanzasOf(start: Buffer): { readonly stanzas: readonly string[] } | { readonly problem: string } {
  const mac = start.subarray(0, ageHeaderLimit).indexOf('\n--- ');
  if (start.toString('latin1', 0, ageIntro.length) !== ageIntro) return { problem: 'it does not begin as age does' };
  if (mac === -1) return { problem: 'its header has no end' };
  const end = start.indexOf('\n', mac + 1);
  const seal = end === -1 ? '' : start.toString('latin1', mac + 1, end);
  if (!/^--- [A-Za-z0-9+/]{43}$/.test(seal)) return { problem: 'its header is not sealed' };
  const lines = start.toString('latin1', ageIntro.length, mac).split('\n');
  const stanzas: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const head = /^-> ([\x21-\x7e]+)(?: [\x21-\x7e]+)*$/.exec(lines[at] ?? '');
    if (head?.[1] === undefined) return { problem: 'its header is not as age writes it' };
    stanzas.push(head[1]);
    // The body ends with its first line that is not full.
    do at += 1; while (/^[A-Za-z0-9+/]{64}$/.test(lines[at] ?? ''));
    if (!/^[A-Za-z0-9+/]{0,63}$/.test(lines[at] ?? '-')) return { problem: 'its header is not as age writes it' };
    at += 1;
  }
  return stanzas.length === 0 ? { problem: 'its header has no recipient' } : { stanzas };
}

/** Whether bytes hold what only a private key of age has; its letters may be of either case. */
export function holdsPrivateKey(bytes: Buffer): boolean {
  return /AGE-SECRET-KEY-(?:PQ-)?1[02-9AC-HJ-NP-Z]/i.test(bytes.toString('latin1'));
}
