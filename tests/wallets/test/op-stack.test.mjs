// viem/op-stack: deposits from L1, and what it asks the L2 about fees.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPublicClient, http, parseEther } from 'viem';
import { getL2TransactionHashes, publicActionsL1, publicActionsL2, walletActionsL1 } from 'viem/op-stack';
import { account, artifact, contract, l1, l1Public, l2, l2Public, nobody, walletOn } from '../src/devnet.mjs';

const dave = account('dave');
const onL1 = walletOn(l1, 'dave').extend(walletActionsL1());
const portal = { address: contract('OptimismPortal'), abi: artifact('OptimismPortal').abi };
const open = { address: contract('OpenToken'), abi: artifact('OpenToken').abi };
const opL2 = createPublicClient({ chain: l2, transport: http() }).extend(publicActionsL2());
const mined = async (hash) => l1Public.waitForTransactionReceipt({ hash: await hash });

/** The L2 receipt of the deposit that an L1 receipt announces. */
async function arrived(receipt) {
  const [hash, ...others] = getL2TransactionHashes(receipt);
  assert.equal(others.length, 0);
  return { receipt: await l2Public.waitForTransactionReceipt({ hash, timeout: 60_000 }), transaction: await l2Public.getTransaction({ hash }) };
}

test('deposits OPEN: the hash that viem computes from L1 is the one on L2', async () => {
  const to = nobody().address;
  const amount = parseEther('7');
  await mined(onL1.writeContract({ ...open, functionName: 'approve', args: [portal.address, amount] }));
  const args = [to, amount, amount, 100_000n, false, '0x'];
  const deposit = await mined(onL1.writeContract({ ...portal, functionName: 'depositERC20Transaction', args }));
  assert.equal(deposit.status, 'success');
  const { receipt, transaction } = await arrived(deposit);
  assert.equal(receipt.status, 'success');
  assert.equal(transaction.type, 'deposit');
  assert.equal(transaction.mint, amount);
  assert.equal(transaction.from, dave.address.toLowerCase());
  assert.equal(await l2Public.getBalance({ address: to }), amount);
});

test('forces a transaction through L1 (buildDepositTransaction, depositTransaction)', async () => {
  const to = nobody().address;
  const before = await l2Public.getBalance({ address: to });
  // The sender pays on L2 with what it has there: nothing is minted.
  const request = await opL2.buildDepositTransaction({ account: dave, to, value: 5n, gas: 100_000n });
  const { receipt, transaction } = await arrived(await mined(onL1.depositTransaction(request)));
  assert.equal(receipt.status, 'success');
  assert.equal(transaction.mint ?? 0n, 0n);
  assert.equal(await l2Public.getBalance({ address: to }), before + 5n);
});

test('refuses ether: the native coin of the L2 is OPEN', async () => {
  const request = { account: dave, targetChain: l2, request: { to: dave.address, mint: 1n, gas: 100_000n, data: '0x' } };
  await assert.rejects(onL1.depositTransaction(request), /revert/i);
});

test('reads the portal version', async () => {
  const { major } = await l1Public.extend(publicActionsL1()).getPortalVersion({ targetChain: l2 });
  assert.ok(Number.isInteger(major));
});

test('charges no separate L1 fee', async () => {
  const transaction = { account: dave.address, to: nobody().address, value: 1n };
  assert.equal(await opL2.estimateL1Fee(transaction), 0n);
  assert.ok((await opL2.getL1BaseFee()) >= 0n);
  const total = await opL2.estimateTotalFee(transaction);
  assert.ok(total >= 21_000n * (await l2Public.getBlock()).baseFeePerGas);
});
