// Generates src/generated (TypeScript types of the contract) and dist/protos (protos that the client loads at run time).
import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const protos = resolve(here, '../../protos');
const clientProtos = resolve(here, '../protos');
const loader = dirname(createRequire(import.meta.url).resolve('@grpc/proto-loader/package.json'));

rmSync(join(here, 'src/generated'), { recursive: true, force: true });
cpSync(join(protos, 'embeddings'), join(here, 'dist/protos/embeddings'), { recursive: true });
cpSync(clientProtos, join(here, 'dist/protos'), { recursive: true });

const files = readdirSync(join(protos, 'embeddings/v1')).map((name) => `embeddings/v1/${name}`);
execFileSync(
  process.execPath,
  [
    join(loader, 'build/bin/proto-loader-gen-types.js'),
    ...['--longs=Number', '--enums=String', '--defaults', '--oneofs', '--grpcLib=@grpc/grpc-js', '--importFileExtension=.js'],
    `--includeDirs=${protos}`,
    `--includeDirs=${clientProtos}`,
    '--outDir=src/generated',
    ...files,
    'embeddings_status.proto',
    'grpc/health/v1/health.proto',
  ],
  { cwd: here, stdio: ['ignore', 'ignore', 'inherit'] },
);
