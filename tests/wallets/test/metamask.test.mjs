// MetaMask's own controllers against the node: what somebody sees who adds this network to the wallet and uses it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SignTypedDataVersion } from '@metamask/keyring-controller';
import { decodeFunctionResult, encodeFunctionData, getContractAddress, numberToHex, parseEther, recoverMessageAddress, recoverTypedDataAddress, stringToHex } from 'viem';
import { account, artifact, contract, devnet, l2Public, nobody } from '../src/devnet.mjs';
import { network } from '../src/readme.mjs';
import { Wallet } from '../src/wallet.mjs';

const { chainId } = network;
const developer = account('developer');
let wallet;

before(async () => {
  wallet = await Wallet.create(developer.privateKey);
});
after(() => wallet.stop());

/** The transaction is in a block, and the wallet has what it shows of a confirmed one. */
async function assertConfirmed(id, hash, own = wallet) {
  const meta = await own.confirmed(id);
  const receipt = await l2Public.getTransactionReceipt({ hash });
  assert.equal(receipt.status, 'success');
  assert.equal(meta.hash, hash);
  assert.equal(meta.txReceipt.blockHash, receipt.blockHash);
  const block = await l2Public.getBlock({ blockHash: receipt.blockHash });
  assert.equal(BigInt(meta.baseFeePerGas), block.baseFeePerGas);
  assert.equal(BigInt(meta.blockTimestamp), block.timestamp);
  return { meta, receipt };
}

test('refuses the network when the chain id is another', async () => {
  const other = await Wallet.create(developer.privateKey);
  await assert.rejects(other.addNetwork({ ...network, chainId: '0x1234' }), /chain id returned/);
  await other.stop();
});

test('lets pages of any origin ask (CORS)', async () => {
  const origin = 'https://dapp.example';
  const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
  const preflight = await fetch(network.url, { method: 'OPTIONS', headers: { origin, ...asked } });
  assert.ok(preflight.ok);
  assert.match(preflight.headers.get('access-control-allow-headers'), /content-type|\*/);
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
  const answer = await fetch(network.url, { method: 'POST', headers: { origin, 'content-type': 'application/json' }, body });
  assert.ok(['*', origin].includes(answer.headers.get('access-control-allow-origin')));
});

test('adds the network and takes it for one with EIP-1559', async () => {
  const added = await wallet.addNetwork(network);
  assert.equal(added.chainId, chainId);
  assert.equal(wallet.networks.state.selectedNetworkClientId, wallet.client);
  assert.equal(wallet.networks.state.networksMetadata[wallet.client].status, 'available');
  assert.equal(await wallet.networks.getEIP1559Compatibility(wallet.client), true);
  assert.equal(await wallet.request('net_version'), String(devnet.l2.chainId));
});

test('shows the balance', async () => {
  const shown = BigInt(await wallet.request('eth_getBalance', [wallet.address, 'latest']));
  assert.equal(shown, await l2Public.getBalance({ address: wallet.address }));
  assert.ok(shown > parseEther('1000'));
});

test('sends OPEN; fees, gas and nonce are what the wallet proposes', async () => {
  const { address } = nobody();
  const { id, hash } = await wallet.send({ to: address, value: numberToHex(parseEther('1.5')) });
  const { meta, receipt } = await assertConfirmed(id, hash);
  assert.equal(receipt.type, 'eip1559');
  assert.equal(BigInt(meta.txParams.gas), 21000n);
  assert.equal(await l2Public.getBalance({ address }), parseEther('1.5'));
  assert.equal(BigInt(await wallet.request('eth_getBalance', [address, 'latest'])), parseEther('1.5'));
});

test('sends a legacy transaction', async () => {
  const { address } = nobody();
  const { id, hash } = await wallet.send({ type: '0x0', to: address, value: '0x1', gasPrice: numberToHex(3_000_000_000n) });
  const { receipt } = await assertConfirmed(id, hash);
  assert.equal(receipt.type, 'legacy');
  assert.equal(receipt.effectiveGasPrice, 3_000_000_000n);
});

test('deploys a contract and calls it', async () => {
  const { abi, bytecode } = artifact('Multicall3');
  const { id, hash } = await wallet.send({ data: bytecode, value: '0x0' });
  const { meta, receipt } = await assertConfirmed(id, hash);
  assert.equal(meta.type, 'contractDeployment');
  const { nonce } = await l2Public.getTransaction({ hash });
  const expected = getContractAddress({ from: wallet.address, nonce: BigInt(nonce) });
  assert.equal(receipt.contractAddress, expected.toLowerCase());
  const data = encodeFunctionData({ abi, functionName: 'getEthBalance', args: [wallet.address] });
  const answer = await wallet.request('eth_call', [{ to: expected, data }, 'latest']);
  const balance = decodeFunctionResult({ abi, functionName: 'getEthBalance', data: answer });
  assert.equal(balance, await l2Public.getBalance({ address: wallet.address }));
});

test('takes consecutive nonces while transactions wait, and each confirms', async () => {
  const before = await wallet.nextNonce();
  assert.equal(before, await l2Public.getTransactionCount({ address: wallet.address, blockTag: 'pending' }));
  const sent = [];
  for (let i = 0; i < 4; i++) sent.push(await wallet.send({ to: nobody().address, value: '0x1' }));
  assert.equal(await wallet.nextNonce(), before + sent.length);
  assert.equal(await l2Public.getTransactionCount({ address: wallet.address, blockTag: 'pending' }), before + sent.length);
  for (const [i, { id, hash }] of sent.entries()) {
    const { meta } = await assertConfirmed(id, hash);
    assert.equal(Number(meta.txParams.nonce), before + i);
  }
});

test('speeds up and cancels transactions that wait', async () => {
  const next = await wallet.nextNonce();
  const fees = (tenths) => ({ maxFeePerGas: numberToHex(300_000_000n * tenths), maxPriorityFeePerGas: numberToHex(100_000_000n * tenths) });
  const send = (ahead) => wallet.send({ to: nobody().address, value: '0x1', gas: '0x5208', nonce: numberToHex(next + ahead), ...fees(10n) });
  // A nonce is left out, so that these wait.
  const [slow, unwanted] = [await send(1), await send(2)];
  await wallet.transactions.speedUpTransaction(slow.id, fees(11n));
  await wallet.transactions.stopTransaction(unwanted.id, fees(11n));
  const { id, hash } = await send(0);
  await assertConfirmed(id, hash);
  for (const [type, replaced] of [['retry', slow], ['cancel', unwanted]]) {
    const { transactions } = wallet.transactions.state;
    const instead = transactions.find((meta) => meta.type === type);
    await assertConfirmed(instead.id, instead.hash);
    await assert.rejects(wallet.confirmed(replaced.id), /shows "dropped"/);
  }
});

test('shows a transaction that reverted as failed', async () => {
  const { abi } = artifact('WrappedOpen');
  const data = encodeFunctionData({ abi, functionName: 'transfer', args: [nobody().address, 1n] });
  const { id } = await wallet.send({ to: contract('WrappedOpen'), data, value: '0x0', gas: '0x186a0' });
  await assert.rejects(wallet.confirmed(id), /shows "failed"/);
});

test('refuses to send more than there is, and the node says why', async () => {
  const balance = await l2Public.getBalance({ address: wallet.address });
  const tooMuch = { to: nobody().address, value: numberToHex(balance), gas: '0x5208' };
  await assert.rejects(wallet.send(tooMuch));
  assert.equal(wallet.transactions.state.transactions.some(({ status }) => status === 'submitted'), false);
  const raw = await developer.signTransaction({
    to: tooMuch.to, value: balance, gas: 21000n, nonce: await wallet.nextNonce(), chainId: devnet.l2.chainId,
    maxFeePerGas: 3_000_000_000n, maxPriorityFeePerGas: 1n,
  });
  await assert.rejects(wallet.request('eth_sendRawTransaction', [raw]), ({ data }) => {
    assert.match(data.message, /insufficient funds/);
    assert.equal(data.code, -32000);
    return true;
  });
});

test('signs messages (personal_sign)', async () => {
  const message = 'Pay 1 OPEN to nobody?';
  const signature = await wallet.keyrings.signPersonalMessage({ from: wallet.address, data: stringToHex(message) });
  assert.equal(await recoverMessageAddress({ message, signature }), developer.address);
});

test('signs typed data (eth_signTypedData_v4)', async () => {
  const typed = {
    domain: { name: 'OpenLedger', version: '1', chainId: devnet.l2.chainId, verifyingContract: contract('WrappedOpen') },
    primaryType: 'Permit',
    types: {
      Permit: [
        { name: 'owner', type: 'address' },
        { name: 'spender', type: 'address' },
        { name: 'value', type: 'uint256' },
      ],
    },
    message: { owner: wallet.address, spender: nobody().address, value: '1000' },
  };
  const EIP712Domain = [
    { name: 'name', type: 'string' },
    { name: 'version', type: 'string' },
    { name: 'chainId', type: 'uint256' },
    { name: 'verifyingContract', type: 'address' },
  ];
  const data = JSON.stringify({ ...typed, types: { EIP712Domain, ...typed.types } });
  const signature = await wallet.keyrings.signTypedMessage({ from: wallet.address, data }, SignTypedDataVersion.V4);
  const signer = await recoverTypedDataAddress({ ...typed, signature });
  assert.equal(signer.toLowerCase(), wallet.address.toLowerCase());
});

test('delegates an account to a contract and sends a batch through it (EIP-7702)', async () => {
  // An account of its own: one that has delegated may have only one transaction waiting.
  const { privateKey, address } = nobody();
  const funding = await wallet.send({ to: address, value: numberToHex(parseEther('1')) });
  await wallet.confirmed(funding.id);
  const own = await Wallet.create(privateKey);
  await own.addNetwork(network);
  const { abi } = artifact('Multicall3');
  const delegate = contract('Multicall3');
  const [first, second] = [nobody().address, nobody().address];
  const aggregate3Value = encodeFunctionData({
    abi,
    functionName: 'aggregate3Value',
    args: [[first, second].map((target, i) => ({ target, allowFailure: false, value: BigInt(i + 1), callData: '0x' }))],
  });
  const { id, hash } = await own.send({
    type: '0x4',
    to: own.address,
    value: '0x3',
    data: aggregate3Value,
    authorizationList: [{ address: delegate }],
  });
  const { receipt } = await assertConfirmed(id, hash, own);
  assert.equal(receipt.type, 'eip7702');
  const code = await own.request('eth_getCode', [own.address, 'latest']);
  assert.equal(code, `0xef0100${delegate.slice(2).toLowerCase()}`);
  assert.equal(await l2Public.getBalance({ address: first }), 1n);
  assert.equal(await l2Public.getBalance({ address: second }), 2n);
  await own.stop();
});
