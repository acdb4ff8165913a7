// Lists to the last page, and distrusts each: a store may say that it has ended where it has not, give a page twice, or
// show what was not asked for. What cannot be read past is a finding; what can is read on.
import type { ListObjectsV2CommandOutput, _Object } from '@aws-sdk/client-s3';
import { StepEnded } from '../run/finding.ts';
import { storeFindings } from './findings.ts';
import { shown } from './names.ts';

export interface Listed {
  readonly objects: readonly _Object[];
  readonly folders: readonly string[];
}

/** Every page of what lies under `prefix`. @throws StepEnded store.listing-unsound. */
export async function* pages(read: (token: string | undefined) => Promise<ListObjectsV2CommandOutput>, store: string, prefix: string): AsyncGenerator<Listed> {
  const unsound = (how: string): StepEnded => new StepEnded(storeFindings.find('store.listing-unsound', { store, how }));
  const [tokens, firsts] = [new Set<string>(), new Set<string>()];
  for (let token: string | undefined; ; ) {
    const page = await read(token);
    const objects = page.Contents ?? [];
    const folders = (page.CommonPrefixes ?? []).flatMap((one) => one.Prefix ?? []);
    const foreign = [...objects.map((one) => one.Key ?? ''), ...folders].find((key) => !key.startsWith(prefix));
    if (foreign !== undefined) throw unsound(`it shows ${shown(foreign)}, which does not lie under ${shown(prefix)}`);
    const first = objects[0]?.Key ?? folders[0];
    if (first !== undefined && firsts.has(first)) throw unsound(`the page that begins with ${shown(first)} came twice`);
    if (first !== undefined) firsts.add(first);
    yield { objects, folders };
    // Not `IsTruncated`: some servers say false and give a token all the same, and what it leads to is there.
    token = page.NextContinuationToken === '' ? undefined : page.NextContinuationToken;
    if (token === undefined) {
      if (page.IsTruncated === true) throw unsound('it says that there is more, and not where');
      return;
    }
    if (tokens.has(token)) throw unsound('it leads in a circle');
    tokens.add(token);
  }
}
