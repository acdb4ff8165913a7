// Where an S3 store is reached: what may be written as its endpoint, and what follows from it.

/** What is wrong with an endpoint, as a phrase, or null. */
export function endpointProblem(text: string): string | null {
  if (text.trim() === '') return 'is empty';
  if (!/^https?:\/\//i.test(text)) return `has no scheme: put https:// before it`;
  if (!URL.canParse(text)) return 'is no URL: an IPv6 address stands in brackets, https://[2001:db8::1]:9000';
  const url = new URL(text);
  // Never shown: what stands before the @ may be a secret.
  if (url.username !== '' || url.password !== '') return 'holds credentials: they belong into accessKeyId and secretAccessKey, from the environment';
  if (url.pathname !== '/') return `has a path: write ${url.protocol}//${url.host} alone; a bucket goes into bucket, a folder in it into prefix`;
  if (url.search !== '' || url.hash !== '') return `has more than a host: write ${url.protocol}//${url.host} alone`;
  return null;
}

/** What is wrong with a bucket at an endpoint, or null. */
export function bucketInHost(endpoint: string, bucket: string): string | null {
  const { host, protocol } = new URL(endpoint);
  return host.startsWith(`${bucket}.`) ? `names the bucket in its host: write ${protocol}//${host.slice(bucket.length + 1)}` : null;
}

/** The region that a host of AWS or B2 names; elsewhere us-east-1, which servers of one region call their own. */
export function regionOf(endpoint: string): string {
  const { hostname } = new URL(endpoint);
  const named = /(?:^|\.)s3(?:-fips)?(?:\.dualstack)?[.-]([a-z]{2,}-[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|backblazeb2\.com)$/.exec(hostname);
  return named?.[1] ?? 'us-east-1';
}

export const isAws = (endpoint: string): boolean => /\.amazonaws\.com(?:\.cn)?$/.test(new URL(endpoint).hostname);

/** B2's master key has the account's id, 12 hex digits, where an application key has 25. Its S3 API takes application keys only. */
export function isB2MasterKey(endpoint: string, accessKeyId: string): boolean {
  return /\.backblazeb2\.com$/.test(new URL(endpoint).hostname) && /^[0-9a-f]{12}$/i.test(accessKeyId);
}
