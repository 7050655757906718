// What the explorer Otterscan asks for its pages, in the form in which it asks, through the ethers that it is built on.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ContractFactory, JsonRpcProvider, Wallet, id, toBeHex } from 'ethers';
import { account, artifact, devnet } from '../src/devnet.mjs';

const PAGE_SIZE = 25;
// It collects its calls into batches.
const provider = new JsonRpcProvider(devnet.l2.rpc, undefined, { staticNetwork: true, pollingInterval: 200, cacheTimeout: -1 });
const ask = (method, ...params) => provider.send(method, params);
const deployer = new Wallet(account('deployer').privateKey, provider);
let token, deployed, deposited, paid, failed;

before(async () => {
  const { abi, bytecode } = artifact('WrappedOpen');
  token = await new ContractFactory(abi, bytecode, deployer).deploy();
  deployed = await token.deploymentTransaction().wait();
  deposited = await (await token.deposit({ value: 9n })).wait();
  paid = await (await token.withdraw(4n)).wait();
  const refused = await token.withdraw(100n, { gasLimit: 100_000n });
  failed = await refused.wait().catch(({ receipt }) => receipt);
});
after(() => provider.destroy());

test('it takes the node for one that it can use', async () => {
  const probes = [provider.getBlockNumber(), ask('erigon_getHeaderByNumber', 'latest'), ask('ots_getApiLevel'), provider.getNetwork()];
  const [number, header, level, { chainId }] = await Promise.all(probes);
  assert.ok(number > 0);
  assert.ok(Number(header.number) > 0);
  assert.ok(level >= 8);
  assert.equal(chainId, BigInt(devnet.l2.chainId));
});

test('the page of a block', async () => {
  const { blockNumber, blockHash } = paid;
  const block = await provider.getBlock(blockNumber, true);
  // The number is sent as a plain number.
  for (const details of [await ask('ots_getBlockDetails', blockNumber), await ask('ots_getBlockDetailsByHash', blockHash)]) {
    assert.equal(details.block.hash, blockHash);
    assert.equal(details.block.stateRoot, block.stateRoot);
    assert.equal(Number(details.block.transactionCount), block.transactions.length);
    assert.equal(BigInt(details.issuance.blockReward ?? 0), 0n);
    const receipts = await Promise.all(block.transactions.map((hash) => provider.getTransactionReceipt(hash)));
    assert.equal(BigInt(details.totalFees), receipts.reduce((sum, { gasUsed, gasPrice }) => sum + gasUsed * gasPrice, 0n));
    assert.ok(Number(details.block.size) > 0);
  }
  const { fullblock, receipts } = await ask('ots_getBlockTransactions', blockNumber, 0, PAGE_SIZE);
  assert.equal(Number(fullblock.transactionCount), block.transactions.length);
  const shown = block.transactions.slice(-PAGE_SIZE);
  assert.deepEqual(fullblock.transactions.map(({ hash }) => hash), shown);
  assert.deepEqual(receipts.map(({ transactionHash }) => transactionHash), shown);
  for (const [i, receipt] of receipts.entries()) {
    assert.equal(receipt.from, fullblock.transactions[i].from);
    assert.match(receipt.status, /^0x[01]$/);
    assert.ok(BigInt(receipt.gasUsed) > 0n && BigInt(receipt.effectiveGasPrice) >= 0n);
  }
  assert.equal(await ask('ots_getBlockDetails', blockNumber + 1_000_000), null);
});

test('the page of a transaction', async () => {
  const { hash } = paid;
  const [transaction, receipt] = await Promise.all([provider.getTransaction(hash), provider.getTransactionReceipt(hash)]);
  assert.equal(receipt.index, transaction.index);
  assert.ok((await receipt.confirmations()) >= 1);
  const [token_, owner] = [token.target.toLowerCase(), deployer.address.toLowerCase()];
  // What the token paid to its caller.
  assert.deepEqual(await ask('ots_getInternalOperations', hash), [{ type: 0, from: token_, to: owner, value: '0x4' }]);
  const trace = await ask('ots_traceTransaction', hash);
  assert.deepEqual(trace.map(({ depth, from, to, value }) => [depth, from, to, BigInt(value ?? 0)]), [[0, owner, token_, 0n], [1, token_, owner, 4n]]);
  assert.equal(trace[0].input, transaction.data);
  assert.equal(await ask('ots_getTransactionError', hash), '0x');
  assert.equal(await ask('ots_getTransactionError', failed.hash), id('InsufficientBalance()').slice(0, 10));
  assert.deepEqual(await ask('ots_getInternalOperations', failed.hash), []);
  assert.equal(await ask('ots_getTransactionBySenderAndNonce', deployer.address, transaction.nonce), hash);
  assert.equal(await ask('ots_getTransactionBySenderAndNonce', deployer.address, transaction.nonce + 1_000), null);
});

test('the page of an address', async () => {
  assert.equal(await ask('ots_hasCode', token.target, 'latest'), true);
  assert.equal(await ask('ots_hasCode', token.target, deployed.blockNumber - 1), false);
  assert.equal(await ask('ots_hasCode', deployer.address, 'latest'), false);
  assert.deepEqual(await ask('ots_getContractCreator', token.target), { hash: deployed.hash, creator: deployer.address.toLowerCase() });
  assert.equal(await ask('ots_getContractCreator', deployer.address), null);
  assert.equal(toBeHex(await provider.getBalance(token.target)), '0x05');
  assert.ok((await provider.getTransactionCount(deployer.address)) >= 4);
});

test('the transactions of an address, page by page', async () => {
  const all = [failed, paid, deposited, deployed].map(({ hash }) => hash);
  const hashes = ({ txs, receipts }) => {
    assert.deepEqual(receipts.map(({ transactionHash }) => transactionHash), txs.map(({ hash }) => hash));
    for (const receipt of receipts) assert.ok(Number(receipt.timestamp) > 0);
    return txs.map(({ hash }) => hash);
  };
  const newest = await ask('ots_searchTransactionsBefore', token.target, 0, PAGE_SIZE);
  assert.deepEqual(hashes(newest), all);
  assert.equal(newest.firstPage, true);
  const older = await ask('ots_searchTransactionsBefore', token.target, paid.blockNumber, PAGE_SIZE);
  assert.deepEqual(hashes(older), all.slice(2));
  assert.equal(older.firstPage, false);
  const newer = await ask('ots_searchTransactionsAfter', token.target, deposited.blockNumber, PAGE_SIZE);
  assert.deepEqual(hashes(newer), all.slice(0, 2));
  const oldest = await ask('ots_searchTransactionsAfter', token.target, 0, 1);
  assert.deepEqual(hashes(oldest), all.slice(3));
  assert.equal(oldest.lastPage, true);
});
