// ethers 6 against the node.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Contract, ContractFactory, JsonRpcProvider, Wallet, WebSocketProvider, isError, parseEther } from 'ethers';
import { account, artifact, contract, devnet, nobody, until } from '../src/devnet.mjs';

const provider = new JsonRpcProvider(devnet.l2.rpc, undefined, { pollingInterval: 200, cacheTimeout: -1 });
const carol = new Wallet(account('carol').privateKey, provider);
after(() => provider.destroy());

test('knows the network, which has no ENS', async () => {
  const network = await provider.getNetwork();
  assert.equal(network.chainId, BigInt(devnet.l2.chainId));
  await assert.rejects(provider.resolveName('vitalik.eth'), (error) => isError(error, 'UNSUPPORTED_OPERATION'));
  await assert.rejects(carol.sendTransaction({ to: 'vitalik.eth', value: 1n }), (error) => isError(error, 'UNSUPPORTED_OPERATION'));
});

test('sends and waits', async () => {
  const to = nobody().address;
  for (const type of [0, 1, 2]) {
    const response = await carol.sendTransaction({ to, value: 1n, type });
    const receipt = await response.wait();
    assert.equal(receipt.status, 1);
    assert.equal(receipt.type, type);
    assert.equal(receipt.from, carol.address);
    assert.equal((await receipt.getTransaction()).hash, response.hash);
    assert.equal((await receipt.getBlock()).hash, receipt.blockHash);
  }
  assert.equal(await provider.getBalance(to), 3n);
});

test('delegates an account (EIP-7702)', async () => {
  const fresh = new Wallet(nobody().privateKey, provider);
  await (await carol.sendTransaction({ to: fresh.address, value: parseEther('1') })).wait();
  const address = contract('Multicall3');
  // Its transaction's own nonce, 0, is counted first.
  const authorization = await fresh.authorize({ address, nonce: 1, chainId: BigInt(devnet.l2.chainId) });
  const response = await fresh.sendTransaction({ type: 4, to: nobody().address, authorizationList: [authorization] });
  assert.equal((await response.wait()).type, 4);
  assert.equal(await provider.getCode(fresh.address), `0xef0100${address.slice(2).toLowerCase()}`);
});

test('deploys a contract, filters and follows its events', async () => {
  const { abi, bytecode } = artifact('WrappedOpen');
  const deployed = await new ContractFactory(abi, bytecode, carol).deploy();
  await deployed.waitForDeployment();
  const token = new Contract(await deployed.getAddress(), abi, carol);
  const followed = [];
  await token.on('Transfer', (from, to, amount) => followed.push({ from, to, amount }));
  await (await token.deposit({ value: 10n })).wait();
  const to = nobody().address;
  const receipt = await (await token.transfer(to, 4n)).wait();
  const found = await token.queryFilter(token.filters.Transfer(null, to), 0, 'latest');
  assert.equal(found.length, 1);
  assert.equal(found[0].args.amount, 4n);
  assert.equal(found[0].transactionHash, receipt.hash);
  await until('the followed event', () => followed.some((event) => event.to === to && event.amount === 4n));
  await token.off('Transfer');
});

test('names the reason of a revert', async () => {
  const token = new Contract(contract('WrappedOpen'), artifact('WrappedOpen').abi, new Wallet(account('dave').privateKey, provider));
  await assert.rejects(token.withdraw.staticCall(parseEther('1000000')), (error) => {
    assert.ok(isError(error, 'CALL_EXCEPTION'));
    assert.equal(error.revert.name, 'InsufficientBalance');
    return true;
  });
  const reverted = await carol.sendTransaction({ to: token.target, data: token.interface.encodeFunctionData('withdraw', [parseEther('1000000')]), gasLimit: 100_000n });
  await assert.rejects(reverted.wait(), (error) => isError(error, 'CALL_EXCEPTION') && error.receipt.status === 0);
});

test('recognises refusals', async () => {
  const balance = await provider.getBalance(carol.address);
  await assert.rejects(carol.sendTransaction({ to: nobody().address, value: balance, gasLimit: 21_000n }), (error) => isError(error, 'INSUFFICIENT_FUNDS'));
  await assert.rejects(carol.sendTransaction({ to: nobody().address, nonce: 0 }), (error) => isError(error, 'NONCE_EXPIRED'));
});

test('follows blocks over WebSocket', async () => {
  const socket = new WebSocketProvider(devnet.l2.ws);
  const numbers = [];
  await socket.on('block', (number) => numbers.push(number));
  await until('three blocks', () => numbers.length >= 3);
  assert.deepEqual(numbers.slice(0, 3), [0, 1, 2].map((i) => numbers[0] + i));
  await socket.destroy();
});
