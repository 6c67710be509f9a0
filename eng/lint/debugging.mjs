// Runs the lines of docs/debugging.md against a server: debugging.mjs HOST:PORT. Each block says what its lines have to print; `|` separates alternatives.
// Prints `ok`, `FAILED` or `skipped` for each line, and the line.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
// GRPCURL is the path of a grpcurl that is not on the PATH.
const folders = [join(here, 'node_modules/.bin'), ...(process.env.GRPCURL ? [dirname(process.env.GRPCURL)] : []), process.env.PATH];
const env = { ...process.env, PATH: folders.join(delimiter) };
const shell = (line) => spawnSync('sh', ['-c', line], { cwd: root, env, encoding: 'utf8', timeout: 60_000 });
const grpcurl = shell('command -v grpcurl').status === 0;

for (const [, expected, block] of readFileSync(join(root, 'docs/debugging.md'), 'utf8').matchAll(/```sh expect=(\S+)\n(.*?)```/gs)) {
  for (const line of block.trim().split('\n')) {
    if (line.includes('grpcurl') && !grpcurl) {
      console.log(`skipped ${line}`);
      continue;
    }
    const { stdout, stderr } = shell(line.replaceAll('127.0.0.1:50051', process.argv[2]));
    const told = `${stdout}${stderr}`;
    console.log(expected.split('|').some((text) => told.includes(text)) ? `ok ${line}` : `FAILED ${line}: '${expected}' is not in: ${told.trim().slice(-300).replaceAll('\n', ' ')}`);
  }
}
