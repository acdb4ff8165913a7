// What went wrong with a call to an S3 store, told apart: denied is not missing, unreachable is not slow. Of an error only
// its code is told: its text may hold the request.
import type { Finding } from '../run/finding.ts';
import { storeFindings } from './findings.ts';

interface Told {
  readonly name: string;
  readonly status: number;
  readonly code: string;
  /** The region that the answer names. */
  readonly region: string | null;
}

/** What an error of the SDK says: S3's own code, HTTP's, the system's. */
export function toldBy(error: unknown): Told {
  const { name = '', code, Code, $metadata, $response, Region } = (error ?? {}) as { name?: string; code?: unknown; Code?: unknown; $metadata?: { httpStatusCode?: number }; $response?: { statusCode?: number; headers?: Record<string, string> }; Region?: unknown };
  const region = Region ?? $response?.headers?.['x-amz-bucket-region'];
  return {
    name: typeof Code === 'string' ? Code : name,
    status: $metadata?.httpStatusCode ?? $response?.statusCode ?? 0,
    code: typeof code === 'string' ? code : '',
    region: typeof region === 'string' && /^[a-z0-9-]+$/.test(region) ? region : null,
  };
}

/** Codes of answers that say what the credential is, whatever was asked. */
const byName: Readonly<Record<string, 'store.wrong-secret' | 'store.unknown-key' | 'store.clock-skew' | 'store.expired' | 'store.slow'>> = {
  SignatureDoesNotMatch: 'store.wrong-secret',
  InvalidAccessKeyId: 'store.unknown-key',
  InvalidToken: 'store.unknown-key',
  RequestTimeTooSkewed: 'store.clock-skew',
  RequestInTheFuture: 'store.clock-skew',
  ExpiredToken: 'store.expired',
  ExpiredTokenException: 'store.expired',
  TokenRefreshRequired: 'store.expired',
  RequestExpired: 'store.expired',
  SlowDown: 'store.slow',
  ServiceUnavailable: 'store.slow',
  RequestTimeout: 'store.slow',
  Throttling: 'store.slow',
  ThrottlingException: 'store.slow',
  TooManyRequests: 'store.slow',
};

const misplaced = ['PermanentRedirect', 'TemporaryRedirect', 'Redirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException', 'InvalidRegion'];

/** The finding about the store as a whole, or null where the answer is about one object alone. */
export function storeProblem(error: unknown, store: string, configured: { readonly region: string }): Finding | null {
  const { find } = storeFindings;
  const { name, status, code, region } = toldBy(error);
  const known = byName[name];
  const said = status === 0 ? code || name : `${name}, HTTP ${status}`;
  if (known !== undefined) return find(known, { store, error: said });
  if (name === 'NoSuchBucket') return find('store.missing', { store, why: 'there is no such bucket' });
  if (misplaced.includes(name) || status === 301 || status === 307 || (region !== null && region !== configured.region && status >= 300)) return find('store.wrong-region', { store, configured: configured.region, actual: region });
  if (status === 429 || status === 503) return find('store.slow', { store, error: said });
  if (status >= 500 && !isUnknownCall(error)) return find('store.failing', { store, error: said });
  if (status === 0 && isTls(code)) return find('store.tls', { store, error: code });
  if (status === 0) return find('store.unreachable', { store, error: said });
  return null;
}

/** Whatever is left: the call was refused. */
export function refused(error: unknown, store: string): Finding {
  const { name, status } = toldBy(error);
  const said = { store, error: `${name}, HTTP ${status}` };
  return isDenied(error) ? storeFindings.find('store.denied', said) : storeFindings.find('store.refused', said);
}

export function isDenied(error: unknown): boolean {
  const { name, status } = toldBy(error);
  return status === 403 || status === 401 || /^(?:AccessDenied|AllAccessDisabled)/.test(name);
}

/** The store knows no such call: 405, 501, or a 400 that says so. */
export function isUnknownCall(error: unknown): boolean {
  const { name, status } = toldBy(error);
  return status === 405 || status === 501 || name === 'NotImplemented' || name === 'MethodNotAllowed';
}

function isTls(code: string): boolean {
  return /^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/.test(code);
}
