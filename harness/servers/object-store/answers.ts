// What the object store says, in S3's own XML.
import type { ServerResponse } from 'node:http';

/** A refusal, by S3's own code. */
export class ServiceError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** An element: text, or elements in the order given, a list repeating its name. */
export type Xml = string | number | boolean | Date | { readonly [name: string]: Xml | readonly Xml[] | undefined };

function xmlOf(name: string, content: Xml | readonly Xml[] | undefined): string {
  if (content === undefined) return '';
  if (Array.isArray(content)) return content.map((one: Xml) => xmlOf(name, one)).join('');
  const inner = content instanceof Date ? content.toISOString()
    : typeof content === 'object' ? Object.entries(content).map(([child, value]) => xmlOf(child, value as Xml)).join('')
    : escaped(String(content));
  return `<${name}>${inner}</${name}>`;
}

// Characters that no XML may hold are sent as references, as S3 itself does; a client that cannot read them asks for encoding-type=url.
const escaped = (text: string): string => text.replaceAll(/[&<>"\u0000-\u001f]/g, (sign) => `&#${sign.charCodeAt(0)};`);

export function answer(response: ServerResponse, status: number, root?: string, content?: Xml, headers: Readonly<Record<string, string>> = {}): void {
  const text = root === undefined ? '' : `<?xml version="1.0" encoding="UTF-8"?>\n${xmlOf(root, content)}`;
  // A 204 has no body, not even an empty one.
  const length = status === 204 ? {} : { 'content-length': Buffer.byteLength(text) };
  response.writeHead(status, { ...headers, ...length, ...(text === '' ? {} : { 'content-type': 'application/xml' }) }).end(text);
}
