// @ts-check
/** Reads out of a source file what the import rule judges: its imports, and its uses of time and chance. */
import { parseSync } from 'oxc-parser';

/**
 * `specifier` is undefined where the name is computed. `isTypeOnly` imports leave nothing in the running program.
 * `names` are those that are imported; undefined where that is the whole module.
 *
 * @typedef {{ specifier: string | undefined, isTypeOnly: boolean, names?: readonly string[] | undefined, line: number }} Import
 * @typedef {{ name: string, line: number }} ClockUse
 * @typedef {{ imports: readonly Import[], clockUses: readonly ClockUse[], faults: readonly string[] }} Syntax
 * @typedef {{ type: string, start: number, [field: string]: unknown }} Node
 */

const GLOBAL_OBJECTS = ['globalThis', 'global', 'window', 'self'];
const TIMERS = ['setTimeout', 'setInterval'];

/**
 * @param {string} path
 * @param {string} source
 * @returns {Syntax}
 */
export function readSyntax(path, source) {
  const parsed = parseSync(path, source);
  /** @type {Import[]} */
  const imports = [];
  /** @type {ClockUse[]} */
  const clockUses = [];
  const lineAt = lineFinder(source);
  walk(/** @type {Node} */ (/** @type {unknown} */ (parsed.program)), undefined, (node, parent) => {
    const line = lineAt(node.start);
    const found = importOf(node);
    if (found !== undefined) imports.push({ ...found, line });
    const name = clockNameOf(node, parent);
    if (name !== undefined) clockUses.push({ name, line });
  });
  return { imports, clockUses, faults: parsed.errors.map((error) => error.message) };
}

/** @param {string} source */
function lineFinder(source) {
  let line = 1;
  let position = 0;
  return (/** @type {number} */ offset) => {
    if (offset < position) {
      line = 1;
      position = 0;
    }
    for (; position < offset; position++) if (source.charCodeAt(position) === 10) line++;
    return line;
  };
}

/**
 * @param {Node} node
 * @param {Node | undefined} parent
 * @param {(node: Node, parent: Node | undefined) => void} visit
 */
function walk(node, parent, visit) {
  visit(node, parent);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, node, visit);
  }
}

/**
 * @param {unknown} value
 * @returns {value is Node}
 */
function isNode(value) {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/**
 * @param {Node} node
 * @returns {Omit<Import, 'line'> | undefined}
 */
function importOf(node) {
  switch (node.type) {
    case 'ImportDeclaration':
      return { specifier: textOf(node['source']), isTypeOnly: isAllTypes(node, 'importKind'), names: importedNames(node) };
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
      return isNode(node['source']) ? { specifier: textOf(node['source']), isTypeOnly: isAllTypes(node, 'exportKind') } : undefined;
    case 'TSImportType':
      return { specifier: textOf(node['source']), isTypeOnly: true };
    case 'ImportExpression':
      return { specifier: textOf(node['source']), isTypeOnly: false };
    case 'CallExpression':
      return nameOf(node['callee']) === 'require' ? { specifier: textOf(firstArgument(node)), isTypeOnly: false } : undefined;
    case 'NewExpression':
      return isModuleUrl(node) ? { specifier: textOf(firstArgument(node)), isTypeOnly: false } : undefined;
    default:
      return undefined;
  }
}

/**
 * @param {Node} node
 * @param {'importKind' | 'exportKind'} kind
 */
function isAllTypes(node, kind) {
  if (node[kind] === 'type') return true;
  const specifiers = /** @type {readonly Node[]} */ (node['specifiers'] ?? []);
  return specifiers.length > 0 && specifiers.every((specifier) => specifier[kind] === 'type');
}

/**
 * @param {Node} node
 * @returns {readonly string[] | undefined}
 */
function importedNames(node) {
  const names = /** @type {readonly Node[]} */ (node['specifiers']).map((specifier) => nameOf(specifier['imported']));
  return names.every((name) => name !== undefined) ? names : undefined;
}

/**
 * `new URL('./worker.ts', import.meta.url)`: how a worker thread is named. URLs of other files are no imports.
 *
 * @param {Node} node
 */
function isModuleUrl(node) {
  const text = textOf(firstArgument(node));
  return nameOf(node['callee']) === 'URL' && text !== undefined && /^\.{1,2}\/.*\.(ts|js|mjs)$/.test(text);
}

/** @param {Node} node */
function firstArgument(node) {
  return /** @type {readonly unknown[]} */ (node['arguments'])[0];
}

/** @param {unknown} node */
function nameOf(node) {
  return isNode(node) && node.type === 'Identifier' ? String(node['name']) : undefined;
}

/**
 * @param {unknown} node
 * @returns {string | undefined}
 */
function textOf(node) {
  if (!isNode(node)) return undefined;
  if (node.type === 'Literal' && typeof node['value'] === 'string') return node['value'];
  const quasis = /** @type {readonly { value: { cooked: string } }[]} */ (node['quasis'] ?? []);
  return node.type === 'TemplateLiteral' && quasis.length === 1 ? quasis[0]?.value.cooked : undefined;
}

/**
 * The name under which a node reads the time, waits, or draws a random number.
 *
 * @param {Node} node
 * @param {Node | undefined} parent
 * @returns {string | undefined}
 */
function clockNameOf(node, parent) {
  if (node.type === 'MemberExpression') {
    const object = nameOf(node['object']);
    const property = node['computed'] === true ? textOf(node['property']) : nameOf(node['property']);
    if (object === 'Date' && property === 'now') return 'Date.now';
    if (object === 'Math' && property === 'random') return 'Math.random';
    if (object !== undefined && property !== undefined && GLOBAL_OBJECTS.includes(object) && TIMERS.includes(property)) return property;
    return undefined;
  }
  if (node.type === 'NewExpression' && nameOf(node['callee']) === 'Date' && firstArgument(node) === undefined) return 'new Date()';
  const name = nameOf(node);
  return name !== undefined && TIMERS.includes(name) && isReference(node, parent) ? name : undefined;
}

/**
 * @param {Node} node
 * @param {Node | undefined} parent
 */
function isReference(node, parent) {
  if (parent === undefined) return false;
  if (parent.type === 'MemberExpression') return parent['object'] === node || parent['computed'] === true;
  if (parent.type === 'Property') return parent['value'] === node;
  // The name inside an import is judged by the module that it comes from.
  return !['ImportSpecifier', 'PropertyDefinition', 'MethodDefinition', 'TSPropertySignature', 'TSMethodSignature'].includes(parent.type);
}
