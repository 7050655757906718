// A small network for the tests: L1, contracts, sequencer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { mnemonicToAccount } from 'viem/accounts';
import { toHex } from 'viem';
import { openledger, root } from './checkout.mjs';

const L1_CHAIN_ID = 900;
const L2_CHAIN_ID = 20300;
// The accounts of anvil's well-known phrase, named as in a devnet. Whoever sends real value to them loses it.
const PHRASE = 'test test test test test test test test test test test junk';
const NAMES = ['deployer', 'batcher', 'proposer', 'operator', 'developer', 'payer', 'alice', 'bob', 'carol', 'dave'];

const accounts = NAMES.map((name, addressIndex) => {
  const account = mnemonicToAccount(PHRASE, { addressIndex });
  return { name, address: account.address, privateKey: toHex(account.getHdKey().privateKey) };
});
const role = (name) => accounts.find((account) => account.name === name);

/** Starts the network in `dir`; `stop` ends its processes. */
export async function startNetwork(dir) {
  const artifacts = path.join(root, 'contracts/out');
  const [l1Port, l2Port] = await freePorts(2);
  const l1 = `http://127.0.0.1:${l1Port}`;
  const l2 = `http://127.0.0.1:${l2Port}`;
  const chain = path.join(dir, 'chain');
  const running = [];
  const stop = async () => {
    for (const child of running.reverse()) await end(child);
  };
  // Whatever way this program ends, it leaves none of them behind.
  process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

  try {
    await mkdir(chain, { recursive: true });
    for (const name of ['deployer', 'batcher', 'proposer']) {
      await writeFile(path.join(dir, name), `${role(name).privateKey}\n`, { mode: 0o600 });
    }
    const anvil = process.env.OPENLEDGER_ANVIL ?? 'anvil';
    const anvilArgs = ['--port', l1Port, '--chain-id', L1_CHAIN_ID, '--block-time', 1, '--slots-in-an-epoch', 1, '--silent'];
    running.push(await start(anvil, anvilArgs, path.join(dir, 'l1.log')));
    await answers(l1, L1_CHAIN_ID, running);

    const deployArgs = [
      'deploy', '--l1-rpc', l1, '--out', chain, '--artifacts', artifacts, '--deployer-key-file', path.join(dir, 'deployer'),
      '--l2-chain-id', L2_CHAIN_ID, '--batcher', role('batcher').address, '--proposer', role('proposer').address,
      ...accounts.flatMap(({ address }) => ['--fund', address]),
    ];
    const deploy = await start(openledger, deployArgs, path.join(dir, 'deploy.log'));
    running.push(deploy);
    if (deploy.exitCode === null) await once(deploy, 'exit');
    if (deploy.exitCode !== 0) throw new Error(`openledger deploy failed; see ${path.join(dir, 'deploy.log')}`);

    const sequencerArgs = [
      'sequencer', '--datadir', path.join(dir, 'sequencer'), '--genesis', path.join(chain, 'genesis.json'),
      '--rollup-config', path.join(chain, 'rollup.json'), '--l1-rpc', l1, '--http-port', l2Port,
      '--batcher-key-file', path.join(dir, 'batcher'), '--proposer-key-file', path.join(dir, 'proposer'),
    ];
    running.push(await start(openledger, sequencerArgs, path.join(dir, 'sequencer.log')));
    await answers(l2, L2_CHAIN_ID, running);

    const contracts = JSON.parse(await readFile(path.join(chain, 'contracts.json'), 'utf8'));
    const devnet = {
      l1: { rpc: l1, ws: l1.replace('http', 'ws'), chainId: L1_CHAIN_ID },
      l2: { rpc: l2, ws: l2.replace('http', 'ws'), chainId: L2_CHAIN_ID },
      // As a devnet's: every contract of both layers, by name.
      contracts: { ...contracts.l1, ...contracts.l2 },
      accounts,
    };
    const devnetJson = path.join(dir, 'devnet.json');
    await writeFile(devnetJson, `${JSON.stringify(devnet, null, 2)}\n`);
    return { devnetJson, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(program, args, log) {
  const file = await open(log, 'w');
  const child = spawn(program, args.map(String), { stdio: ['ignore', file.fd, file.fd] });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new Error(`${program} could not be started (${error.code}): run \`make build\``);
  } finally {
    await file.close();
  }
  return child;
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const killed = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await exited;
  clearTimeout(killed);
}

/** Waits until the chain at `url` has made a block. */
async function answers(url, chainId, running) {
  const ask = async (method) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] });
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    return Number((await answer.json()).result);
  };
  const last = running.at(-1);
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; ) {
    if (last.exitCode !== null) throw new Error(`${last.spawnfile} ended with ${last.exitCode} before it answered on ${url}`);
    try {
      if ((await ask('eth_chainId')) === chainId && (await ask('eth_blockNumber')) > 0) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${url} did not answer within a minute`);
}

/** Ports that were free a moment ago. */
async function freePorts(count) {
  const servers = [];
  for (let i = 0; i < count; i++) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
