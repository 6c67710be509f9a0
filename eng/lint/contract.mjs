// Generates docs/contract.md from the comments in protos/ and prints it to standard output.
// Usage: node contract.mjs IMAGE.json, with an IMAGE.json written by `buf build`.
import { readFileSync } from 'node:fs';

const { file: files } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const ours = files.filter((file) => file.name.startsWith('embeddings/v1/'));
const lines = [
  '# Contract',
  '',
  'Generated from the comments in [`protos/embeddings/v1`](../protos/embeddings/v1) by `./build.sh docs`. Do not edit this page by hand;',
  '`./build.sh lint` fails if it is out of date.',
  '',
];
const anchors = new Map();
for (const file of ours) {
  for (const type of [...(file.messageType ?? []), ...(file.enumType ?? [])]) {
    anchors.set(`.${file.package}.${type.name}`, type.name);
  }
}

/** Comments by descriptor path. For example, [4, 0, 2, 1] is the second field of the first message. */
function comments(file) {
  const found = new Map(file.sourceCodeInfo.location.map((location) => [(location.path ?? []).join(), location.leadingComments ?? '']));
  return (...path) => (found.get(path.join()) ?? '').split('\n').map((line) => line.trim()).join('\n').trim();
}

// A table cell must be on one line and cannot contain an unescaped pipe character.
const cell = (text) => text.replaceAll(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');

function typeName(field) {
  const name = field.typeName
    ? anchors.has(field.typeName)
      ? `[\`${anchors.get(field.typeName)}\`](#${anchors.get(field.typeName).toLowerCase()})`
      : `\`${field.typeName.slice(1)}\``
    : `\`${field.type.replace('TYPE_', '').toLowerCase()}\``;
  return field.label === 'LABEL_REPEATED' ? `repeated ${name}` : field.proto3Optional ? `optional ${name}` : name;
}

function service(file, type, at, comment) {
  lines.push(`## ${type.name}`, '', comment(6, at), '', '| RPC | request | response | description |', '|---|---|---|---|');
  type.method.forEach((method, number) => {
    const side = (streaming, name) => `${streaming ? 'stream ' : ''}[\`${anchors.get(name)}\`](#${anchors.get(name).toLowerCase()})`;
    const request = side(method.clientStreaming, method.inputType);
    lines.push(`| \`${method.name}\` | ${request} | ${side(method.serverStreaming, method.outputType)} | ${cell(comment(6, at, 2, number))} |`);
  });
  lines.push('');
}

function message(file, type, at, comment) {
  lines.push(`### ${type.name}`, '', comment(4, at), '');
  if (!type.field?.length) {
    return;
  }
  lines.push('| number | field | type | description |', '|---|---|---|---|');
  type.field.forEach((field, number) => {
    // proto3 represents each optional field as a synthetic oneof, which is not a choice.
    const choice = field.oneofIndex !== undefined && !field.proto3Optional ? ` (one of \`${type.oneofDecl[field.oneofIndex].name}\`)` : '';
    lines.push(`| ${field.number} | \`${field.name}\` | ${typeName(field)}${choice} | ${cell(comment(4, at, 2, number))} |`);
  });
  lines.push('');
}

function enumeration(file, type, at, comment) {
  lines.push(`### ${type.name}`, '', comment(5, at), '', '| number | value | description |', '|---|---|---|');
  type.value.forEach((value, number) => lines.push(`| ${value.number ?? 0} | \`${value.name}\` | ${cell(comment(5, at, 2, number))} |`));
  lines.push('');
}

const order = (file) => (file.service?.length ? 0 : 1);
for (const file of ours.sort((a, b) => order(a) - order(b) || (a.name < b.name ? -1 : 1))) {
  const comment = comments(file);
  if (order(file) === 1) {
    lines.push(`## Shared messages: ${file.name.split('/').at(-1)}`, '');
  }
  file.service?.forEach((type, at) => service(file, type, at, comment));
  file.messageType?.forEach((type, at) => message(file, type, at, comment));
  file.enumType?.forEach((type, at) => enumeration(file, type, at, comment));
}
process.stdout.write(`${lines.join('\n').trim()}\n`);
