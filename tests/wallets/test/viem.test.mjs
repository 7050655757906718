// viem's public and wallet actions against the node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BaseError, BlockNotFoundError, ContractFunctionRevertedError, InsufficientFundsError, NonceTooLowError, TransactionNotFoundError,
  createPublicClient, createWalletClient, encodeFunctionData, getContractAddress, http, keccak256, numberToHex, pad, parseEther, parseEventLogs, webSocket,
} from 'viem';
import { account, artifact, contract, devnet, l2, l2Public, nobody, until, walletOn } from '../src/devnet.mjs';
import { verifyProof } from '../src/proof.mjs';

const bob = account('bob');
const wallet = walletOn(l2, 'bob');
const wrapped = { address: contract('WrappedOpen'), abi: artifact('WrappedOpen').abi };
const sent = async (hash) => l2Public.waitForTransactionReceipt({ hash: await hash, timeout: 30_000 });
const causes = (error, type) => error instanceof BaseError && error.walk((cause) => cause instanceof type) instanceof type;

test('identifies the chain and the client', async () => {
  assert.equal(await l2Public.getChainId(), devnet.l2.chainId);
  assert.match(await l2Public.request({ method: 'web3_clientVersion' }), /^openledger\//i);
  assert.equal(await l2Public.request({ method: 'eth_syncing' }), false);
});

test('serves blocks by tag, number and hash', async () => {
  const tags = ['earliest', 'finalized', 'safe', 'latest', 'pending'];
  const blocks = await Promise.all(tags.map((blockTag) => l2Public.getBlock({ blockTag })));
  const [earliest, finalized, safe, latest, pending] = blocks.map(({ number }) => number ?? Infinity);
  assert.equal(earliest, 0n);
  assert.ok(finalized <= safe && safe <= latest + 1n && latest <= pending, `${[finalized, safe, latest, pending]}`);
  const block = blocks[3];
  assert.deepEqual(await l2Public.getBlock({ blockNumber: block.number }), block);
  assert.deepEqual(await l2Public.getBlock({ blockHash: block.hash }), block);
  const full = await l2Public.getBlock({ blockNumber: block.number, includeTransactions: true });
  assert.deepEqual(full.transactions.map(({ hash }) => hash), block.transactions);
  assert.equal(full.transactions[0].type, 'deposit');
  assert.equal(await l2Public.getBlockTransactionCount({ blockNumber: block.number }), block.transactions.length);
  await assert.rejects(l2Public.getBlock({ blockNumber: block.number + 100_000n }), BlockNotFoundError);
});

test('serves state at each tag, at heights and at hashes (EIP-1898)', async () => {
  const { address } = bob;
  for (const blockTag of ['earliest', 'finalized', 'safe', 'latest', 'pending']) {
    assert.equal(typeof (await l2Public.getBalance({ address, blockTag })), 'bigint');
    assert.equal(typeof (await l2Public.getTransactionCount({ address, blockTag })), 'number');
    assert.ok((await l2Public.getCode({ address: wrapped.address, blockTag })).length > 2);
    assert.equal(await l2Public.readContract({ ...wrapped, functionName: 'symbol', blockTag }), 'WOPEN');
  }
  const { number, hash: blockHash } = await l2Public.getBlock();
  const atHeight = await l2Public.getBalance({ address, blockNumber: number });
  const atHash = await l2Public.request({ method: 'eth_getBalance', params: [address, { blockHash, requireCanonical: true }] });
  assert.equal(BigInt(atHash), atHeight);
  const unknown = { blockHash: keccak256(blockHash), requireCanonical: true };
  await assert.rejects(l2Public.request({ method: 'eth_getBalance', params: [address, unknown] }), ({ code }) => code === -32001);
});

test('sends each type of transaction and finds it again', async () => {
  // An account of its own: one that has delegated may have only one transaction waiting.
  const sender = nobody();
  await sent(wallet.sendTransaction({ to: sender.address, value: parseEther('1') }));
  const own = createWalletClient({ account: sender, chain: l2, transport: http() });
  const to = nobody().address;
  const fees = { maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 1_000_000n };
  const kinds = [
    { type: 'legacy', gasPrice: 3_000_000_000n },
    { type: 'eip2930', gasPrice: 3_000_000_000n, accessList: [{ address: wrapped.address, storageKeys: [pad('0x1')] }] },
    { type: 'eip1559', ...fees },
    {
      type: 'eip7702', ...fees,
      authorizationList: [
        // Fourth of the sender's transactions, whose own nonce is counted first.
        await own.signAuthorization({ contractAddress: contract('Multicall3'), nonce: 4 }),
      ],
    },
  ];
  for (const [i, kind] of kinds.entries()) {
    const hash = await own.sendTransaction({ to, value: 1n, ...kind });
    const receipt = await sent(hash);
    assert.equal(receipt.status, 'success');
    assert.equal(receipt.type, kind.type);
    assert.equal(await l2Public.getBalance({ address: to }), BigInt(i + 1));
    const found = await l2Public.getTransaction({ hash });
    assert.equal(found.type, kind.type);
    assert.equal(found.from, sender.address.toLowerCase());
    const { blockHash, blockNumber, transactionIndex: index } = receipt;
    assert.deepEqual(await l2Public.getTransaction({ blockHash, index }), found);
    assert.deepEqual(await l2Public.getTransaction({ blockNumber, index }), found);
    assert.ok((await l2Public.getTransactionConfirmations({ hash })) >= 1n);
  }
  const code = await l2Public.getCode({ address: sender.address });
  assert.equal(code, `0xef0100${contract('Multicall3').slice(2).toLowerCase()}`);
  await assert.rejects(l2Public.getTransaction({ hash: keccak256('0x00') }), TransactionNotFoundError);
});

test('estimates gas and fees that suffice', async () => {
  const to = nobody().address;
  assert.equal(await l2Public.estimateGas({ account: bob.address, to, value: 1n }), 21_000n);
  const fees = await l2Public.estimateFeesPerGas();
  const { baseFeePerGas } = await l2Public.getBlock();
  assert.ok(fees.maxFeePerGas >= baseFeePerGas + fees.maxPriorityFeePerGas);
  assert.ok((await l2Public.getGasPrice()) >= baseFeePerGas);
  assert.ok((await l2Public.estimateMaxPriorityFeePerGas()) >= 0n);
  const history = await l2Public.getFeeHistory({ blockCount: 20_000, rewardPercentiles: [10, 50, 90] });
  assert.ok(history.gasUsedRatio.length > 0);
  assert.equal(history.baseFeePerGas.length, history.gasUsedRatio.length + 1);
  assert.deepEqual(new Set(history.reward.map((row) => row.length)), new Set([3]));
});

test('deploys, writes, reads, filters logs', async () => {
  const { abi, bytecode } = artifact('WrappedOpen');
  const nonce = await l2Public.getTransactionCount({ address: bob.address, blockTag: 'pending' });
  const deployed = await sent(wallet.deployContract({ abi, bytecode }));
  const address = getContractAddress({ from: bob.address, nonce: BigInt(nonce) });
  assert.equal(deployed.contractAddress, address.toLowerCase());
  const token = { address, abi };
  const deposit = await sent(wallet.writeContract({ ...token, functionName: 'deposit', value: 1000n }));
  const to = nobody().address;
  const { request, result } = await l2Public.simulateContract({ ...token, account: bob, functionName: 'transfer', args: [to, 400n] });
  assert.equal(result, true);
  const transfer = await sent(wallet.writeContract(request));
  assert.equal(await l2Public.readContract({ ...token, functionName: 'balanceOf', args: [to] }), 400n);
  assert.equal(
    await l2Public.readContract({ ...token, functionName: 'balanceOf', args: [to], blockNumber: deposit.blockNumber }),
    transfer.blockNumber === deposit.blockNumber ? 400n : 0n,
  );
  const range = { address, fromBlock: deployed.blockNumber, toBlock: transfer.blockNumber };
  const logs = await l2Public.getLogs(range);
  assert.deepEqual(parseEventLogs({ abi, logs }).map(({ eventName }) => eventName), ['Transfer', 'Deposit', 'Transfer']);
  const events = await l2Public.getContractEvents({ ...token, ...range, eventName: 'Transfer', args: { to } });
  assert.equal(events.length, 1);
  assert.equal(events[0].args.amount, 400n);
  assert.deepEqual(await l2Public.getLogs({ address, blockHash: transfer.blockHash }), logs.filter((log) => log.blockHash === transfer.blockHash));
  const filter = await l2Public.createEventFilter({ ...range });
  assert.deepEqual(await l2Public.getFilterLogs({ filter }), logs);
  assert.equal(await l2Public.uninstallFilter({ filter }), true);
});

test('notices blocks, logs and pending transactions through filters', async () => {
  const blocks = await l2Public.createBlockFilter();
  const pending = await l2Public.createPendingTransactionFilter();
  const hash = await wallet.sendTransaction({ to: nobody().address, value: 1n });
  const { blockHash } = await sent(hash);
  assert.ok((await l2Public.getFilterChanges({ filter: pending })).includes(hash));
  assert.ok((await l2Public.getFilterChanges({ filter: blocks })).includes(blockHash));
});

test('pushes blocks, logs and pending transactions over WebSocket', async () => {
  const client = createPublicClient({ chain: l2, transport: webSocket() });
  const seen = { blocks: [], logs: [], hashes: [] };
  const onError = (error) => assert.fail(error);
  const stops = [
    client.watchBlocks({ onBlock: (block) => seen.blocks.push(block), onError }),
    client.watchEvent({ address: wrapped.address, onLogs: (logs) => seen.logs.push(...logs), onError }),
    client.watchPendingTransactions({ onTransactions: (hashes) => seen.hashes.push(...hashes), onError }),
  ];
  await until('the first pushed block', () => seen.blocks.length > 0);
  const hash = await wallet.writeContract({ ...wrapped, functionName: 'deposit', value: 1n });
  const receipt = await sent(hash);
  await until('the pushed log', () => seen.logs.some(({ transactionHash }) => transactionHash === hash));
  await until('the pushed hash', () => seen.hashes.includes(hash));
  await until('the pushed block', () => seen.blocks.some((block) => block.hash === receipt.blockHash));
  const numbers = seen.blocks.map(({ number }) => number);
  assert.deepEqual(numbers, numbers.map((_, i) => numbers[0] + BigInt(i)), 'every block once, in order');
  stops.forEach((stop) => stop());
  (await client.transport.getRpcClient()).close();
});

test('proves accounts and slots, present and absent, at old blocks', async () => {
  await sent(wallet.writeContract({ ...wrapped, functionName: 'deposit', value: 1n }));
  const { number } = await l2Public.getBlock();
  await sent(wallet.sendTransaction({ to: nobody().address, value: 1n }));
  for (const blockNumber of [number, number - 2n]) {
    const { stateRoot } = await l2Public.getBlock({ blockNumber });
    for (const address of [bob.address, wrapped.address, contract('L1Block'), nobody().address]) {
      // Slots of L1Block are set by every block.
      const storageKeys = [0, 1, 2, 9].map((slot) => pad(numberToHex(slot), { size: 32 }));
      const proof = await l2Public.getProof({ address, storageKeys, blockNumber });
      verifyProof(stateRoot, proof);
      assert.equal(proof.balance, await l2Public.getBalance({ address, blockNumber }));
      for (const { key, value } of proof.storageProof) {
        assert.equal(BigInt(await l2Public.getStorageAt({ address, slot: key, blockNumber })), value);
      }
      assert.throws(() => verifyProof(keccak256(stateRoot), proof), /is not the one/);
    }
  }
});

test('calls with overrides of state and of the block', async () => {
  const to = nobody().address;
  const rich = nobody().address;
  const { data } = await l2Public.call({
    account: rich, to, value: parseEther('5'),
    stateOverride: [
      { address: rich, balance: parseEther('9') },
      // Returns the balance of the caller, which sent 5 of 9.
      { address: to, code: '0x333160005260206000f3' },
    ],
  });
  assert.equal(BigInt(data), parseEther('4'));
  const timestamp = await l2Public.call({ to, stateOverride: [{ address: to, code: '0x4260005260206000f3' }], blockOverrides: { time: 12_345n } });
  assert.equal(BigInt(timestamp.data), 12_345n);
  await assert.rejects(l2Public.call({ account: rich, to, value: 1n }), (error) => causes(error, InsufficientFundsError));
});

test('bundles reads by Multicall3 and by JSON-RPC batches', async () => {
  const calls = [{ ...wrapped, functionName: 'symbol' }, { ...wrapped, functionName: 'decimals' }, { ...wrapped, functionName: 'totalSupply' }];
  const [symbol, decimals, supply] = await l2Public.multicall({ contracts: calls, allowFailure: false });
  assert.equal(symbol, 'WOPEN');
  assert.equal(decimals, 18);
  assert.equal(supply, await l2Public.readContract(calls[2]));
  const body = JSON.stringify([1, 2, 3].map((id) => ({ jsonrpc: '2.0', id, method: id === 2 ? 'eth_nothing' : 'eth_chainId', params: [] })));
  const answers = await (await fetch(devnet.l2.rpc, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).json();
  assert.deepEqual(answers.map(({ id }) => id).sort(), [1, 2, 3]);
  assert.equal(answers.find(({ id }) => id === 2).error.code, -32601);
});

test('decodes why a call reverted', async () => {
  const transfer = { ...wrapped, functionName: 'transfer', args: [nobody().address, 1n], account: nobody().address };
  await assert.rejects(l2Public.simulateContract(transfer), (error) => {
    const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    assert.equal(reverted.data.errorName, 'InsufficientBalance');
    return true;
  });
  const multicall = { address: contract('Multicall3'), abi: artifact('Multicall3').abi };
  const failing = { target: wrapped.address, callData: encodeFunctionData(transfer), allowFailure: false };
  const aggregate = { ...multicall, functionName: 'aggregate3', args: [[failing]] };
  await assert.rejects(l2Public.simulateContract(aggregate), (error) => {
    const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    assert.equal(reverted.reason, 'Multicall3: call failed');
    return true;
  });
  await assert.rejects(l2Public.estimateContractGas(transfer), (error) => causes(error, ContractFunctionRevertedError));
});

test('refuses transactions in words that viem knows', async () => {
  const to = nobody().address;
  const nonce = await l2Public.getTransactionCount({ address: bob.address, blockTag: 'pending' });
  const balance = await l2Public.getBalance({ address: bob.address });
  const base = { to, gas: 21_000n, maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 1n, nonce, chainId: l2.id };
  await assert.rejects(wallet.sendTransaction({ ...base, value: balance }), (error) => causes(error, InsufficientFundsError));
  await assert.rejects(wallet.sendTransaction({ ...base, nonce: 0 }), (error) => causes(error, NonceTooLowError));

  const send = (serializedTransaction) => l2Public.sendRawTransaction({ serializedTransaction });
  // A gap keeps it in the pool, so that the same bytes meet themselves there.
  const waiting = await bob.signTransaction({ ...base, nonce: nonce + 1 });
  const hash = await send(waiting);
  assert.equal((await l2Public.getTransaction({ hash })).blockNumber, null);
  await assert.rejects(send(waiting), /already known/);
  await assert.rejects(send(await bob.signTransaction({ ...base, nonce: nonce + 1, value: 1n })), /replacement transaction underpriced/);
  await assert.rejects(send(await bob.signTransaction({ ...base, chainId: 1 })), /chain id/i);
  await assert.rejects(send(await bob.signTransaction({ ...base, gas: 20_000n })), /intrinsic gas too low/);
  await assert.rejects(send('0x02c0'), BaseError);
  await sent(send(await bob.signTransaction(base)));
  assert.equal((await sent(hash)).status, 'success');
});

test('replaces a waiting transaction for a tenth more', async () => {
  const nonce = await l2Public.getTransactionCount({ address: bob.address, blockTag: 'pending' });
  const base = { to: nobody().address, gas: 21_000n, nonce: nonce + 1, chainId: l2.id };
  const send = async (transaction) => l2Public.sendRawTransaction({ serializedTransaction: await bob.signTransaction(transaction) });
  const first = await send({ ...base, maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n });
  const second = await send({ ...base, maxFeePerGas: 3_300_000_000n, maxPriorityFeePerGas: 1_100_000_000n });
  await send({ ...base, nonce, maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 1n });
  assert.equal((await sent(second)).status, 'success');
  await assert.rejects(l2Public.getTransaction({ hash: first }), TransactionNotFoundError);
});

test('answers a transaction with its receipt (EIP-7966)', async () => {
  const request = await wallet.prepareTransactionRequest({ to: nobody().address, value: 1n });
  const raw = await bob.signTransaction(request);
  const receipt = await l2Public.request({ method: 'eth_sendRawTransactionSync', params: [raw] });
  assert.equal(receipt.transactionHash, keccak256(raw));
  assert.equal(receipt.status, '0x1');
});
