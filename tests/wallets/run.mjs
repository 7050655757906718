// Runs the tests of this folder against a node.
//
// With OPENLEDGER_DEVNET_JSON set to a devnet's `devnet.json`, that devnet is used. Otherwise a small network of our own
// is started for the tests on free ports: anvil as L1, `openledger deploy`, `openledger sequencer`; and these processes, and
// only these, are ended afterwards.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNetwork } from './src/network.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

async function main() {
  // Exiting ends what was started, here and in src/network.mjs.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
  let devnetJson = process.env.OPENLEDGER_DEVNET_JSON;
  let stop = async () => {};
  let dir;
  if (!devnetJson) {
    dir = await mkdtemp(path.join(tmpdir(), 'openledger-wallets-'));
    const network = await startNetwork(dir);
    ({ devnetJson, stop } = network);
  }
  let code = 1;
  try {
    code = await runTests(devnetJson);
  } finally {
    await stop();
    // The logs of a run that failed are what one wants to read next.
    if (dir && code === 0) await rm(dir, { recursive: true, force: true });
    else if (dir) console.error(`logs: ${dir}`);
  }
  return code;
}

/** Runs `node --test` on the files named on the command line, or on all. */
async function runTests(devnetJson) {
  const named = process.argv.slice(2);
  const all = (await readdir(path.join(here, 'test'))).filter((name) => name.endsWith('.test.mjs')).sort();
  const files = named.length > 0 ? named : all.map((name) => path.join(here, 'test', name));
  // They wait for blocks most of the time, and each file has an account of its own: together they take as long as one.
  const args = ['--test', '--test-concurrency=4', '--test-force-exit', '--test-reporter=spec', ...files];
  const env = { ...process.env, OPENLEDGER_DEVNET_JSON: path.resolve(devnetJson), NODE_NO_WARNINGS: '1' };
  const child = spawn(process.execPath, args, { env, stdio: 'inherit' });
  process.on('exit', () => child.kill());
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(`error: ${error.message}`);
    process.exit(1);
  },
);
