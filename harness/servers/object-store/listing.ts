// The three listings of a bucket, a page at a time.
import type { Xml } from './answers.ts';
import type { Bucket, PageQuery, Version } from './bucket.ts';

const mostPerPage = 1000;

export function listing(contents: Bucket, bucket: string, query: URLSearchParams): { readonly root: string; readonly content: Xml } {
  const given = query.get('max-keys') ?? query.get('max-uploads');
  const most = given === null ? mostPerPage : Math.min(mostPerPage, Math.max(0, Number(given)));
  const asked = { prefix: query.get('prefix') ?? '', delimiter: query.get('delimiter') ?? '', most };
  // A client that asks for it can so read names that no XML can hold.
  const shown = (key: string): string => (query.get('encoding-type') === 'url' ? encodeURIComponent(key).replaceAll('%2F', '/') : key);
  const common = { Name: bucket, Prefix: shown(asked.prefix), ...(asked.delimiter === '' ? {} : { Delimiter: asked.delimiter }), MaxKeys: most };
  const folders = (prefixes: readonly string[]): { CommonPrefixes: Xml[] } => ({ CommonPrefixes: prefixes.map((prefix) => ({ Prefix: shown(prefix) })) });
  if (query.has('uploads')) return { root: 'ListMultipartUploadsResult', content: uploads(contents, bucket, asked) };
  if (query.has('versions')) {
    const { items, prefixes, next } = contents.history({ ...asked, after: query.get('key-marker') ?? '' });
    const all = items.map((version): [string, Xml] => [version.body === null ? 'DeleteMarker' : 'Version', { Key: shown(version.key), VersionId: version.id, IsLatest: contents.isLatest(version), LastModified: version.modifiedAt, ...(version.body === null ? {} : { ETag: `"${version.etag}"`, Size: version.body.size, StorageClass: 'STANDARD' }) }]);
    const named = (name: string): Xml[] => all.filter(([kind]) => kind === name).map(([, content]) => content);
    return { root: 'ListVersionsResult', content: { ...common, IsTruncated: next !== null, ...(next === null ? {} : { NextKeyMarker: shown(next), NextVersionIdMarker: items.at(-1)?.id ?? 'null' }), Version: named('Version'), DeleteMarker: named('DeleteMarker'), ...folders(prefixes) } };
  }
  const token = query.get('continuation-token');
  const { items, prefixes, next } = contents.current({ ...asked, after: token === null ? (query.get('start-after') ?? query.get('marker') ?? '') : Buffer.from(token, 'base64url').toString() });
  const v2 = query.get('list-type') === '2';
  const more = next === null ? {} : v2 ? { NextContinuationToken: Buffer.from(next).toString('base64url') } : { NextMarker: shown(next) };
  return { root: 'ListBucketResult', content: { ...common, IsTruncated: next !== null, ...more, ...(v2 ? { KeyCount: items.length + prefixes.length } : {}), Contents: items.map((version) => entry(version, shown)), ...folders(prefixes) } };
}

function entry(version: Version, shown: (key: string) => string): Xml {
  return { Key: shown(version.key), LastModified: version.modifiedAt, ETag: `"${version.etag}"`, Size: version.body?.size ?? 0, StorageClass: 'STANDARD' };
}

function uploads(contents: Bucket, bucket: string, { prefix }: Omit<PageQuery, 'after'>): Xml {
  const found = [...contents.uploads.values()].filter((upload) => upload.key.startsWith(prefix));
  return { Bucket: bucket, IsTruncated: false, Upload: found.map((upload) => ({ Key: upload.key, UploadId: upload.id, Initiated: upload.startedAt, StorageClass: 'STANDARD' })) };
}
