// AWS signature version 4, as a server verifies it: who asks, and that nobody changed what they asked.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ServiceError } from './answers.ts';

/** What an identity may do, in the words of S3's own policies, lower case. */
export type Action = 'list' | 'get' | 'put' | 'delete' | 'list-versions' | 'list-uploads';

export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly may: readonly Action[];
}

const skewMs = 15 * 60_000;

/** The identity that signed the request. @throws ServiceError where nobody did, or somebody else did. */
export function authenticate(request: IncomingMessage, identities: readonly Identity[]): Identity {
  const given = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(request.headers.authorization ?? '');
  if (given === null) throw new ServiceError(403, 'AccessDenied', 'anonymous access is not allowed');
  const [, id, day = '', region = '', names = '', signature = ''] = given;
  const identity = identities.find((one) => one.accessKeyId === id);
  if (identity === undefined) throw new ServiceError(403, 'InvalidAccessKeyId', 'there is no such access key');
  const at = String(request.headers['x-amz-date'] ?? '');
  const instant = Date.parse(at.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(Date.now() - instant) < skewMs)) throw new ServiceError(403, 'RequestTimeTooSkewed', 'the time of the request is too far from the time of the server');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', at, scope, createHash('sha256').update(canonical(request, names.split(';'))).digest('hex')].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>((secret, part) => createHmac('sha256', secret).update(part).digest(), `AWS4${identity.secretAccessKey}`);
  const expected = createHmac('sha256', key).update(text).digest();
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) throw new ServiceError(403, 'SignatureDoesNotMatch', 'the signature does not match');
  return identity;
}

/** The request as it was signed: its path and parameters as they came, which is how both ends encoded them. */
function canonical(request: IncomingMessage, names: readonly string[]): string {
  const [path = '/', query = ''] = (request.url ?? '/').split('?');
  const parameters = query.split('&').filter((pair) => pair !== '').map((pair) => (pair.includes('=') ? pair : `${pair}=`)).sort();
  const headers = names.map((name) => `${name}:${String(request.headers[name] ?? '').trim().replaceAll(/ +/g, ' ')}\n`);
  return [request.method, path, parameters.join('&'), headers.join(''), names.join(';'), request.headers['x-amz-content-sha256'] ?? ''].join('\n');
}
