// The rules of the house (docs/design.md, Layout), read off the code's own syntax trees. Every rule has a small tree that
// breaks it and nothing else, so that a rule which stopped looking is noticed.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAst } from 'vitest/node';

const root = resolve(import.meta.dirname, '..');
const parts = ['database', 'media', 'audit', 'keys'];
const maxLines = 300;

/** Files past 300 lines that are not blank, each with its reason. */
const long: Readonly<Record<string, string>> = {
  'harness/database/dump/classify.ts': 'one table of the first words of every statement that pg_dump writes',
  'harness/database/dump/reader.ts': 'one state machine over bytes, which split would have to share all of its state',
  'harness/database/manifest/changes.ts': 'one table of a row for each change',
};

/** Which folders of harness/ the files of a folder may import, besides their own. What is not named here may import all. */
const layers: Readonly<Record<string, readonly string[]>> = {
  run: [],
  config: ['run', 'slices'],
  stores: ['run', 'config'],
  servers: ['run', 'config'],
  ...Object.fromEntries(parts.map((part) => [part, ['run', 'config', 'stores', 'servers']])),
  suite: ['run', 'config', 'servers', 'report'],
  report: ['run', 'config', ...parts],
  unit: ['run', 'config', 'stores', 'servers', 'suite', 'faults', ...parts],
};

type Tree = Readonly<Record<string, string>>;
interface Import {
  readonly from: string;
  readonly specifier: string;
  /** The path inside the checkout; null for a package. */
  readonly target: string | null;
}

function violations(tree: Tree): string[] {
  return Object.entries(tree).flatMap(([path, text]) => {
    const { imports, prints } = read(path, text);
    return [
      ...imports.flatMap((each) => judgeImport(each, tree).map((rule) => `${rule}: ${path} imports ${each.specifier}`)),
      ...(prints !== null && !mayPrint(path) ? [`prints: ${path} uses ${prints}`] : []),
      ...(/(?:^|\/)(?:utils?|types|helpers?|common|misc)(?:\.test)?\.ts$/.test(path) ? [`name: ${path} says nothing of what it holds`] : []),
      ...(isLong(text) && !isTest(path) && long[path] === undefined ? [`length: ${path} is past ${maxLines} lines`] : []),
    ];
  });
}

function judgeImport({ from, specifier, target }: Import, tree: Tree): string[] {
  if (target === null) {
    if (specifier === 'vitest' || specifier.startsWith('vitest/')) return knowsVitest(from) ? [] : ['vitest'];
    return /^(?:node:)?(?:process|console)$/.test(specifier) && !mayPrint(from) ? ['prints'] : [];
  }
  if (target.endsWith('.ts') && tree[target] === undefined) return ['lost'];
  if (isTest(from)) return isTest(target) ? ['tests'] : [];
  const rules: string[] = [];
  const area = target.split('/')[0] ?? '';
  if (isTest(target)) rules.push('tests');
  if (area === 'fixtures' && !from.startsWith('fixtures/') && !/^harness\/(?:unit\/rehearsal(?:-clock|-live)?\.ts$|bench\/)/.test(from)) rules.push('fixtures');
  if ((area === 'drills' || area === 'checks') && !from.startsWith(`${area}/`)) rules.push('direction');
  if (/^harness\/stores\/publish(?:-s3)?\.ts$/.test(target) && !/^(?:harness\/(?:bench|stores)|fixtures)\/|^harness\/unit\/rehearsal\.ts$/.test(from)) rules.push('publish');
  const [own, other] = [layerOf(from), layerOf(target)];
  const may = own === null ? undefined : layers[own];
  if (own !== null && other !== null && own !== other && may !== undefined && !may.includes(other)) {
    const slice = may.includes('slices') && /^harness\/[a-z]+\/config\.ts$/.test(target);
    if (!slice) rules.push(parts.includes(own) && parts.includes(other) ? 'parts' : 'layers');
  }
  return rules;
}

/** `harness/stores/names.ts` and `harness/stores.ts` are both of the layer `stores`; null outside harness/. */
function layerOf(path: string): string | null {
  return /^harness\/([a-z]+)(?:\/|\.ts$)/.exec(path)?.[1] ?? null;
}

function knowsVitest(path: string): boolean {
  return isTest(path) || /^(?:drills|checks)\/|^harness\/(?:suite\/|checks\.ts$|cli\/)|^fixtures\/(?:tools|[a-z-]+-contract)\.ts$|^vitest\.config\.ts$/.test(path);
}

function mayPrint(path: string): boolean {
  return isTest(path) || /^harness\/(?:cli(?:\/|\.ts$)|report\/|enter\.mjs$)|^fixtures\//.test(path);
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

function isLong(text: string): boolean {
  return text.split('\n').filter((line) => line.trim() !== '').length > maxLines;
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

function read(path: string, text: string): { imports: Import[]; prints: string | null } {
  const imports: Import[] = [];
  let prints: string | null = null;
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    if (!isNode(value)) return;
    const source = /^(?:Import|ExportNamed|ExportAll)Declaration$|^ImportExpression$|^TSImportType$/.test(value.type) ? (value['source'] ?? value['argument']) : null;
    if (isNode(source) && typeof source['value'] === 'string') imports.push(importOf(path, source['value']));
    prints ??= printed(value);
    Object.values(value).forEach(visit);
  };
  visit(parseAst(text, { lang: path.endsWith('.ts') ? 'ts' : 'js' }, path));
  return { imports, prints };
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function printed(node: Node): string | null {
  const { object, property } = node;
  if (node.type !== 'MemberExpression' || !isNode(object) || !isNode(property)) return null;
  const names = [object['name'], property['name'] ?? property['value']];
  if (names[0] === 'console') return `console.${String(names[1])}`;
  return names[0] === 'process' && /^(?:stdout|stderr|exit|reallyExit|abort)$/.test(String(names[1])) ? `process.${String(names[1])}` : null;
}

function importOf(from: string, specifier: string): Import {
  return { from, specifier, target: specifier.startsWith('.') ? posix.normalize(posix.join(posix.dirname(from), specifier)) : null };
}

function checkout(): Tree {
  const paths = globSync(['{drills,checks,fixtures,harness,ops}/**/*.{ts,mjs}', '*.ts'], { cwd: root });
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

describe('the direction of imports', () => {
  const healthy: Tree = {
    'drills/database.drill.ts': "import { suite } from '../harness/suite/worker.ts';\nsuite();",
    'checks/own.check.ts': "import { defineCheck } from '../harness/checks.ts';\ndefineCheck();",
    'harness/checks.ts': "import { test } from 'vitest';\nimport { run } from './suite/worker.ts';\nexport { test, run };",
    'harness/suite/worker.ts': "import { it } from 'vitest';\nimport type { Plan } from '../run/plan.ts';\nexport { it, type Plan };",
    'harness/run/plan.ts': 'export interface Plan {}',
    'harness/config/load.ts': "export * from '../database/config.ts';",
    'harness/database/config.ts': 'export {};',
    'harness/database/steps.ts': "import './config.ts';\nimport '../stores/store.ts';\nimport '../run/plan.ts';",
    'harness/media/steps.ts': "import '../run/plan.ts';",
    'harness/stores/store.ts': '',
    'harness/stores/publish.ts': "import './store.ts';",
    'harness/stores/publish-s3.ts': "import './publish.ts';",
    'harness/unit/rehearsal.ts': "import '../stores/publish.ts';\nimport '../../fixtures/unit.ts';\nimport '../database/steps.ts';\nimport '../media/steps.ts';",
    'harness/report/console.ts': "process.stdout.write('x');",
    'harness/cli.ts': "console.log('x');\nprocess.exit(1);\nawait import('./cli/drill.ts');",
    'harness/cli/drill.ts': "import '../report/console.ts';",
    'fixtures/unit.ts': "import '../harness/stores/publish.ts';",
    'harness/database/steps.test.ts': "import { test } from 'vitest';\nimport '../../fixtures/unit.ts';\nimport '../stores/publish.ts';\nimport './steps.ts';\ntest('x', () => {});",
  };

  test('a healthy tree breaks no rule', () => {
    expect(violations(healthy)).toEqual([]);
  });

  test.each([
    ['a part that imports another', 'harness/media/steps.ts', "import '../database/steps.ts';", 'parts'],
    ['a type of another part', 'harness/media/steps.ts', "import type { X } from '../database/steps.ts';\nexport type Y = X;", 'parts'],
    ['a type named in place', 'harness/media/steps.ts', "export type Y = import('../database/steps.ts').X;", 'parts'],
    ['another part, re-exported', 'harness/media/steps.ts', "export * from '../database/steps.ts';", 'parts'],
    ['another part, at run time', 'harness/media/steps.ts', "await import('../database/steps.ts');", 'parts'],
    ['a stage that knows vitest', 'harness/database/steps.ts', "import { expect } from 'vitest';\nexpect(1);", 'vitest'],
    ['a plan that knows vitest', 'harness/run/plan.ts', "import 'vitest/node';", 'vitest'],
    ['a stage that knows reports', 'harness/database/steps.ts', "import '../report/console.ts';", 'layers'],
    ['a stage that knows the command', 'harness/stores/store.ts', "import '../cli/drill.ts';", 'layers'],
    ['a plan that knows a part', 'harness/run/plan.ts', "import '../database/steps.ts';", 'layers'],
    ['a store that knows a part', 'harness/stores/store.ts', "import '../database/steps.ts';", 'layers'],
    ['configuration that knows more than a slice', 'harness/config/load.ts', "import '../database/steps.ts';", 'layers'],
    ['a harness that knows its drills', 'harness/unit/rehearsal.ts', "import '../../drills/database.drill.ts';", 'direction'],
    ['a check that knows a drill', 'checks/own.check.ts', "import '../drills/database.drill.ts';", 'direction'],
    ['a drill that knows fixtures', 'drills/database.drill.ts', "import '../fixtures/unit.ts';", 'fixtures'],
    ['a stage that knows fixtures', 'harness/database/steps.ts', "import '../../fixtures/unit.ts';", 'fixtures'],
    ['a drill that can write to a store', 'drills/database.drill.ts', "import '../harness/stores/publish.ts';", 'publish'],
    ['a drill that can write to a bucket', 'drills/database.drill.ts', "await import('../harness/stores/publish-s3.ts');", 'publish'],
    ['a stage that can write to a store', 'harness/database/steps.ts', "import '../stores/publish.ts';", 'publish'],
    ['a stage that prints', 'harness/database/steps.ts', "console.error('x');", 'prints'],
    ['a stage that writes to stdout', 'harness/database/steps.ts', "process['stdout'].write('x');", 'prints'],
    ['a stage that exits', 'harness/run/plan.ts', 'export const end = process.exit;', 'prints'],
    ['a stage that imports process', 'harness/run/plan.ts', "import { exit } from 'node:process';\nexit(1);", 'prints'],
    ['code that imports a test', 'harness/cli/drill.ts', "import '../database/steps.test.ts';", 'tests'],
    ['an import of nothing', 'harness/cli/drill.ts', "import './absent.ts';", 'lost'],
    ['a drawer for everything', 'harness/run/utils.ts', '', 'name'],
    ['a drawer for types', 'harness/run/types.ts', '', 'name'],
    ['a long file', 'harness/run/plan.ts', '// line\n'.repeat(301), 'length'],
  ])('%s breaks one rule', (_name, path, text, rule) => {
    const found = violations({ ...healthy, [path]: text });
    expect(found.map((line) => line.split(':')[0])).toEqual([rule]);
    expect(found[0]).toContain(path);
  });

  test('the checkout breaks no rule', () => {
    const tree = checkout();
    const imports = Object.entries(tree).flatMap(([path, text]) => read(path, text).imports);
    expect(imports.filter((each) => each.target !== null).length).toBeGreaterThan(100);
    expect(violations(tree)).toEqual([]);
  });

  test('each exception for length is still one', () => {
    expect(Object.keys(long).filter((path) => !existsSync(join(root, path)) || !isLong(readFileSync(join(root, path), 'utf8')))).toEqual([]);
  });
});

describe('the glossary of docs/design.md', () => {
  // The words of the design, which code, files, reports and docs use exactly so.
  const words = ['artifact', 'dump', 'backup set', 'store', 'catalog', 'stray', 'manifest', 'snapshot', 'ledger', 'verify', 'check', 'drill', 'unit', 'finding', 'evidence', 'outcome', 'verdict', 'scope', 'severity', 'part', 'RPO', 'restore duration', 'fault', 'mutation score'];

  function glossaryProblems(page: string, exported: ReadonlySet<string>): string[] {
    const section = /^## Glossary\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(page)?.[1] ?? '';
    const rows = section.split('\n').filter((line) => /^\|(?! *-)/.test(line)).slice(1).map((line) => line.split('|').map((cell) => cell.trim()));
    const terms = rows.map((row) => row[1] ?? '');
    return [
      ...words.filter((word) => !terms.includes(word)).map((word) => `no row: ${word}`),
      ...terms.filter((term, at) => terms.indexOf(term) !== at).map((term) => `two rows: ${term}`),
      ...rows.filter((row) => (row[2] ?? '') === '').map((row) => `no meaning: ${row[1]}`),
      ...rows.flatMap((row) => [...(row[3] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')).filter((type) => !exported.has(type)).map((type) => `no such type: ${type}`),
    ];
  }

  function exportedTypes(tree: Tree): Set<string> {
    const declared = /^export (?:declare )?(?:abstract )?(?:interface|type|class) ([A-Za-z]\w*)/gm;
    return new Set(Object.entries(tree).filter(([path]) => !isTest(path)).flatMap(([, text]) => [...text.matchAll(declared)].map((match) => match[1] ?? '')));
  }

  const page = `# Design\n\n## Glossary\n| term | meaning | type |\n|---|---|---|\n${words.map((word) => `| ${word} | what it is | |`).join('\n')}\n| plan | steps | \`Plan\` |\n\n## Layout\n`;
  const exported = exportedTypes({ 'harness/run/plan.ts': 'export interface Plan {}' });

  test('a healthy page has no problem', () => {
    expect(glossaryProblems(page, exported)).toEqual([]);
  });

  test.each([
    ['a word without a row', page.replace('| ledger | what it is | |\n', ''), 'no row: ledger'],
    ['a word with two rows', page.replace('| ledger | what it is | |\n', '| ledger | what it is | |\n| ledger | what it was | |\n'), 'two rows: ledger'],
    ['a row without a meaning', page.replace('| ledger | what it is | |', '| ledger | | |'), 'no meaning: ledger'],
    ['a type that nobody exports', page.replace('`Plan`', '`Planned`'), 'no such type: Planned'],
  ])('%s is a problem', (_name, broken, problem) => {
    expect(glossaryProblems(broken, exported)).toEqual([problem]);
  });

  test('the page and the code are in step', () => {
    expect(glossaryProblems(readFileSync(join(root, 'docs/design.md'), 'utf8'), exportedTypes(checkout()))).toEqual([]);
  });
});
