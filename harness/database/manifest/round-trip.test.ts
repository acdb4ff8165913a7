// What a real pg_dump and psql bring back of every kind of object raises nothing: a restore's own doings are no findings.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { needing } from '../../../fixtures/tools.ts';
import { compareManifests } from './compare.ts';
import { openScene, type Scene } from './scene.ts';

const source = `
  set constraints all immediate;
  create role app nologin;
  create role reader nologin;
  create extension citext;
  create extension hstore;
  create schema s2 authorization app;
  create type mood as enum ('sad','ok');
  create domain positive as int check (value>0);
  create domain nn as text not null default 'x';
  create type pair as (a int, b text collate "C");
  create type fr as range (subtype=float8, subtype_diff=float8mi);
  create table clients (gone int, id bigint generated always as identity primary key, name citext not null unique, mood mood default 'ok', note text collate "C", h hstore, p pair, d nn default 'y');
  alter table clients drop column gone;
  alter table clients add column later int not null default 7;
  comment on table clients is 'x';
  comment on column clients.note is 'free';
  alter table clients alter note set statistics 50;
  alter table clients alter note set storage external;
  create table messages (id bigserial primary key, client bigint not null references clients(id) deferrable initially deferred, body text, amount numeric(10,2) default 0 check (amount>=0), twice numeric generated always as (amount*2) stored);
  alter table messages add constraint nv check (amount < 1000000) not valid;
  create unique index messages_body on messages(body) where body<>'';
  create index me on messages (lower(body), client);
  alter index me alter column 1 set statistics 77;
  cluster messages using messages_pkey;
  alter table messages replica identity using index messages_pkey;
  alter table messages add constraint ex exclude using gist (int8range(id, id+1) with &&);
  insert into clients(name) select 'c'||g from generate_series(1,5) g;
  insert into messages(client,body,amount) select 1+g%5,'m'||g,g from generate_series(1,100) g;
  create function shout(t text) returns text language sql immutable as 'select upper(t)';
  create function touched() returns trigger language plpgsql as 'begin return new; end';
  create procedure proc(a int, inout b int) language plpgsql as 'begin b := a; end';
  create aggregate total(int) (sfunc=int4pl, stype=int, initcond='0');
  create trigger mt before update of body on messages for each row when (new.body is not null) execute function touched();
  create constraint trigger ct after insert on messages deferrable for each row execute function touched();
  alter table messages enable row level security;
  create policy own on messages for select to app, reader using (client=1);
  create rule quiet as on delete to clients do instead nothing;
  create view bodies as select m.id, m.body, c.name from messages m join clients c on c.id=m.client;
  create view sec with (security_barrier, check_option=local) as select id from clients where id > 0;
  alter view sec alter id set default 5;
  create materialized view counts as select client, count(*) from messages group by client;
  create unique index on counts(client);
  create materialized view unfilled as select 1 as a with no data;
  create table events (at date not null, what text, primary key (at)) partition by range (at);
  create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
  create table events_rest partition of events default;
  create index events_what on events(what);
  insert into events values ('2026-11-23','x'),('2020-01-01','y');
  create table refs (at date references events(at), n int) partition by hash (n);
  create table refs_0 partition of refs for values with (modulus 2, remainder 0);
  create table refs_1 partition of refs for values with (modulus 2, remainder 1);
  insert into refs values ('2026-11-23',1),('2020-01-01',2);
  create trigger et after insert on events for each row execute function touched();
  alter table events_rest disable trigger et;
  create table par (a int not null default 1, b text check (b <> 'q'));
  create table chi (c int, b text default 'z') inherits (par);
  insert into chi values (1,'b',2);
  alter table par add column z int default 3;
  create table typed of pair;
  create unlogged table unl (a int);
  insert into unl values (1);
  create sequence tickets as int start 10 increment 5 cache 3;
  select nextval('tickets');
  create sequence down increment -1;
  select nextval('down');
  create sequence never;
  alter sequence tickets owned by clients.later;
  create function evt() returns event_trigger language plpgsql as 'begin end';
  create event trigger watch on ddl_command_end when tag in ('DROP TABLE') execute function evt();
  alter event trigger watch disable;
  create statistics related (dependencies) on client, amount from messages;
  create operator === (leftarg=int, rightarg=int, function=int4eq, commutator= ===);
  create operator class oc for type int using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 btint4cmp(int,int);
  create cast (pair as text) with inout;
  create text search configuration tsc (copy=english);
  create text search dictionary tsd (template=simple, stopwords=english);
  create collation loose (provider=libc, locale='C');
  create foreign data wrapper fw;
  create server fs foreign data wrapper fw options (host 'x', password 'not to be told');
  create user mapping for app server fs options (password 'not to be told either');
  create foreign table ft (a int options (k 'v')) server fs options (t 'u');
  create publication pb for table messages;
  grant select on messages to reader;
  grant usage on schema public to reader;
  alter table clients owner to app;
  grant select (note) on clients to reader with grant option;
  alter default privileges in schema s2 grant select on tables to reader;
  alter default privileges grant execute on functions to reader;
  revoke execute on function shout(text) from public;
  select lo_from_bytea(4711, convert_to(repeat('large',2000),'UTF8'));
  select lo_create(4712);
  alter large object 4711 owner to app;
  grant select on large object 4712 to reader;
  revoke all on schema public from public;
  comment on large object 4711 is 'lo';
  comment on index messages_body is 'ix';
  comment on constraint nv on messages is 'nv';
  comment on function shout(text) is 'sh';
  comment on trigger mt on messages is 't';
  revoke execute on function citext_ne(citext, citext) from public;
  grant execute on function citext_ne(citext, citext) to app;
  grant usage on type hstore to reader;
  grant select (id) on bodies to reader;
  comment on column bodies.id is 'of a view';
  comment on column counts.count is 'of a materialised view';
  comment on column pair.a is 'of a composite';
  create aggregate running (int) (sfunc = int4pl, stype = int, msfunc = int4pl, minvfunc = int4mi, mstype = int, minitcond = '3');
  create publication part for table messages (id, body) where (id > 5);
  create publication whole for tables in schema s2;
  create type span as range (subtype = text, subtype_opclass = text_pattern_ops);
  comment on constraint positive_check on domain positive is 'of a domain';
  create publication generated with (publish_generated_columns = stored);
  create conversion own_latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
`;

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
  await scene.create('source', source);
});
afterAll(async () => scene[Symbol.asyncDispose]());

const tools = needing('psql18', 'pg_dump18');

/** Has the real programs restore a copy. */
async function restore(from: string, to: string): Promise<void> {
  const { host, port, user, password } = scene.admin;
  const env = { ...process.env, PGPASSWORD: password };
  const login = ['-h', host, '-p', String(port), '-U', user];
  const dump = execFileSync(tools.path('pg_dump18'), [...login, from], { env, maxBuffer: 1 << 28 });
  await scene.create(to);
  execFileSync(tools.path('psql18'), ['-Xq', '-v', 'ON_ERROR_STOP=1', ...login, to], { env, input: dump, stdio: ['pipe', 'ignore', 'pipe'] });
}

tools.test('a dump restored by psql agrees with its source in everything', async () => {
  await restore('source', 'restored');
  const { findings, pieces } = compareManifests(await scene.manifest('source'), await scene.rows('restored'), { sequences: 'exact' });
  expect(findings).toEqual([]);
  expect(pieces.schema.evidence.fingerprintFound).toBe(pieces.schema.evidence.fingerprintExpected);
  expect(Object.keys(pieces.schema.evidence.byType)).toHaveLength(36);
});

tools.test('an expression that the server words otherwise once it has read it back is none that changed', async () => {
  await scene.create('worded', readFileSync(join(import.meta.dirname, 'testdata', 'wordings.sql'), 'utf8'));
  await restore('worded', 'reworded');
  const source = await scene.manifest('worded');
  const { findings, pieces } = compareManifests(source, await scene.rows('reworded'));
  expect(findings).toEqual([]);
  // It did word them otherwise.
  expect(pieces.schema.evidence.fingerprintFound).not.toBe(pieces.schema.evidence.fingerprintExpected);
  // One value more, in the second wording.
  const widened = compareManifests(source, await scene.rowsAfter('reworded', "alter table t drop constraint k00, add constraint k00 check (v in ('a', 'b''c', '[x]', '(y]', 'z'))"));
  expect(widened.findings.map(({ code, facts }) => [code, facts['names']])).toEqual([['compare.object-differs', ['constraint k00 on public.t [definition]']]]);
});

test('a manifest holds no password of a foreign server', async () => {
  expect((await scene.lines('source')).join('\n')).not.toContain('not to be told');
});
