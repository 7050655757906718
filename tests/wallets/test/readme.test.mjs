// Somebody connects MetaMask with nothing but what README.md says.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parseEther } from 'viem';
import { openledger } from '../src/checkout.mjs';
import { account, artifact, contract, devnet, l1Public, l2Public } from '../src/devnet.mjs';
import { fields, importedKey, network } from '../src/readme.mjs';
import { Wallet } from '../src/wallet.mjs';

test('the form describes the devnet', async () => {
  assert.equal(Number(fields['Chain ID']), devnet.l2.chainId);
  assert.equal(await l2Public.getChainId(), devnet.l2.chainId);
  // The coin of the L2 is this token of the L1.
  const token = { address: contract('OpenToken'), abi: artifact('OpenToken').abi };
  assert.equal(fields['Currency symbol'], await l1Public.readContract({ ...token, functionName: 'symbol' }));
  // The wallet takes names of one to six characters.
  assert.match(fields['Currency symbol'], /^.{1,6}$/);
  assert.ok(fields['Network name'].length > 0);
  // A devnet of the tests has other ports than one that is started without arguments.
  const { protocol, hostname, port } = new URL(fields['Default RPC URL']);
  const { stdout: help } = await promisify(execFile)(openledger, ['devnet', '--help']);
  assert.equal(port, /--l2-port <PORT>[^]*?\[default: (\d+)\]/.exec(help)[1]);
  assert.deepEqual([protocol, hostname], [new URL(devnet.l2.rpc).protocol, new URL(devnet.l2.rpc).hostname]);
});

test('the network is added and the imported account is shown with its balance', async () => {
  assert.equal(importedKey, account('alice').privateKey);
  const wallet = await Wallet.create(importedKey);
  const added = await wallet.addNetwork(network);
  assert.equal(added.name, fields['Network name']);
  assert.equal(added.nativeCurrency, fields['Currency symbol']);
  const balance = BigInt(await wallet.request('eth_getBalance', [wallet.address, 'latest']));
  assert.ok(balance > parseEther('990000') && balance <= parseEther('1000000'), `${balance} wei`);
  await wallet.stop();
});
