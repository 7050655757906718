// Foundry's cast and forge against the node, as in a shell.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { getContractAddress, keccak256, parseEther, parseGwei } from 'viem';
import { root } from '../src/checkout.mjs';
import { account, artifact, contract, devnet, l2Public, nobody } from '../src/devnet.mjs';
import { Project } from '../src/foundry.mjs';
import { commands } from '../src/readme.mjs';

const alice = account('alice');
const asAlice = ['--private-key', alice.privateKey];
let project;

before(async () => {
  project = await Project.create();
});
after(() => project.remove());

const cast = (...args) => project.cast(...args);
const send = (...args) => project.json('send', ...asAlice, ...args);
const number = (hex) => Number(BigInt(hex));

test("the README's commands do what it says", async () => {
  const printed = await project.run('bash', ['-euo', 'pipefail', '-c', commands], { cwd: root });
  const [balance] = printed.split('\n');
  assert.ok(Number(balance) > 990_000, `alice has ${balance} OPEN`);
  assert.match(printed, /^status +1 \(success\)$/m);
  const [, hash] = /^transactionHash +(0x[0-9a-f]{64})$/m.exec(printed);
  const { from, to, value } = await l2Public.getTransaction({ hash });
  assert.deepEqual([from, to], [alice.address.toLowerCase(), account('bob').address.toLowerCase()]);
  assert.equal(value, parseEther('1'));
});

test('cast reads the chain', async () => {
  assert.equal(await cast('chain-id'), String(devnet.l2.chainId));
  assert.match(await cast('client'), /openledger/i);
  const block = await project.json('block', 'latest');
  assert.ok(number(await cast('block-number')) >= number(block.number));
  assert.equal(await cast('block', block.hash, '--field', 'stateRoot'), block.stateRoot);
  assert.equal(await cast('find-block', number(block.timestamp)), String(number(block.number)));
  for (const tag of ['safe', 'finalized', 'pending', 'earliest']) assert.match(await cast('block', tag, '--field', 'hash'), /^0x[0-9a-f]{64}$/);
  assert.equal(await cast('base-fee', block.hash), String(number(block.baseFeePerGas)));
  assert.ok(BigInt(await cast('gas-price')) >= 0n);
  const { address } = alice;
  assert.equal(await cast('balance', address), String(await l2Public.getBalance({ address })));
  assert.equal(parseEther(await cast('balance', address, '--ether')), await l2Public.getBalance({ address }));
  assert.equal(await cast('nonce', address), String(await l2Public.getTransactionCount({ address })));
  const wrapped = contract('WrappedOpen');
  const code = await l2Public.getCode({ address: wrapped });
  assert.equal(await cast('code', wrapped), code);
  assert.equal(await cast('codesize', wrapped), String(code.length / 2 - 1));
  assert.equal(await cast('codehash', wrapped), keccak256(code));
  const proof = await project.json('proof', wrapped, '0x0');
  assert.equal(proof.codeHash, keccak256(code));
  assert.equal(await cast('storage-root', wrapped), proof.storageHash);
  assert.ok(number((await project.json('tx-pool', 'status')).pending) >= 0);
  assert.equal(await cast('rpc', 'net_version'), `"${devnet.l2.chainId}"`);
  assert.equal(JSON.parse(await cast('rpc', 'eth_getBlockByNumber', 'latest', 'false')).transactions.length > 0, true);
  await assert.rejects(cast('rpc', 'eth_nothing'), /-32601/);
});

test('cast sends every kind of transaction', async () => {
  const to = nobody().address;
  const price = ['--gas-price', '3gwei'];
  const kinds = [
    ['0x0', ['--legacy', ...price]],
    ['0x1', ['--legacy', ...price, '--access-list', JSON.stringify([{ address: contract('WrappedOpen'), storageKeys: [`0x${'1'.padStart(64, '0')}`] }])]],
    ['0x2', []],
    ['0x2', [...price, '--priority-gas-price', '1gwei', '--gas-limit', '30000']],
    // By eth_sendRawTransactionSync.
    ['0x2', ['--sync']],
  ];
  for (const [i, [type, args]] of kinds.entries()) {
    const receipt = await send(to, '--value', '1', ...args);
    assert.equal(receipt.status, '0x1');
    assert.equal(receipt.type, type);
    assert.equal(await cast('balance', to), String(i + 1));
    assert.equal((await project.json('receipt', receipt.transactionHash)).blockHash, receipt.blockHash);
    assert.equal((await project.json('tx', receipt.transactionHash)).to, to.toLowerCase());
  }
});

test('cast delegates an account (EIP-7702)', async () => {
  const { privateKey, address } = nobody();
  await send(address, '--value', '1ether');
  const delegate = contract('Multicall3');
  const receipt = await project.json('send', '--private-key', privateKey, nobody().address, '--auth', delegate);
  assert.equal(receipt.type, '0x4');
  assert.equal(receipt.status, '0x1');
  assert.equal(await cast('code', address), `0xef0100${delegate.slice(2).toLowerCase()}`);
  // Somebody else brings the authorization to the chain, which ends the delegation.
  const zero = `0x${'0'.repeat(40)}`;
  const authorization = await cast('wallet', 'sign-auth', zero, '--private-key', privateKey);
  assert.equal((await send(nobody().address, '--auth', authorization)).type, '0x4');
  assert.equal(await cast('code', address), '0x');
});

test('cast estimates, signs apart and publishes', async () => {
  const to = nobody().address;
  assert.equal(await cast('estimate', to, '--from', alice.address, '--value', '1'), '21000');
  const raw = await cast('mktx', to, '--value', '7', ...asAlice);
  const hash = keccak256(raw);
  assert.equal(await cast('publish', raw, '--async'), hash);
  // `cast receipt` waits for it.
  assert.equal((await project.json('receipt', hash)).status, '0x1');
  assert.equal(await cast('balance', to), '7');
  await assert.rejects(cast('publish', raw), /nonce too low|already known/);
});

test('cast deploys, writes, reads, filters logs, and says why a call reverted', async () => {
  const { bytecode } = artifact('WrappedOpen');
  const deployed = await send('--create', bytecode);
  const token = deployed.contractAddress;
  const { nonce } = await l2Public.getTransaction({ hash: deployed.transactionHash });
  assert.equal(token, getContractAddress({ from: alice.address, nonce: BigInt(nonce) }).toLowerCase());
  const deposit = await send(token, 'deposit()', '--value', '1000');
  const to = nobody().address;
  const transfer = ['transfer(address,uint256)(bool)', to];
  assert.equal(await cast('call', token, ...transfer, '400', '--from', alice.address), 'true');
  const receipt = await send(token, ...transfer, '400');
  assert.equal(await cast('call', token, 'balanceOf(address)(uint256)', to), '400');
  assert.equal(await cast('call', token, 'symbol()(string)'), '"WOPEN"');
  const atDeposit = ['call', token, 'balanceOf(address)(uint256)', to, '--block', number(deposit.blockNumber)];
  assert.equal(await cast(...atDeposit), deposit.blockNumber === receipt.blockNumber ? '400' : '0');
  const range = ['--from-block', number(deployed.blockNumber), '--to-block', number(receipt.blockNumber), '--address', token];
  const logs = await project.json('logs', ...range, 'Transfer(address indexed,address indexed,uint256)');
  assert.deepEqual(logs.map(({ transactionHash }) => transactionHash), [deposit, receipt].map(({ transactionHash }) => transactionHash));
  const list = await project.json('access-list', token, ...transfer, '1', '--from', alice.address);
  assert.ok(list.accessList.some(({ address, storageKeys }) => address === token && storageKeys.length >= 2));
  const trace = JSON.parse(await cast('rpc', 'debug_traceTransaction', receipt.transactionHash, '{"tracer":"callTracer"}'));
  assert.deepEqual([trace.type, trace.to], ['CALL', token]);
  assert.match(await cast('call', token, ...transfer, '1', '--from', alice.address, '--trace'), /Transaction successfully executed/);
  const tooMuch = ['transfer(address,uint256)', to, '100000', '--from', alice.address];
  const selector = keccak256(new TextEncoder().encode('InsufficientBalance()')).slice(0, 10);
  await assert.rejects(cast('call', token, ...tooMuch), new RegExp(selector));
  await assert.rejects(cast('estimate', token, ...tooMuch), new RegExp(selector));
});

test('forge script deploys and calls with --broadcast, and resumes', async () => {
  const written = () => project.read(`broadcast/TipJar.s.sol/${devnet.l2.chainId}/run-latest.json`);
  // All at once, then each after the one before it.
  for (const pace of [[], ['--slow']]) {
    const salt = keccak256(nobody().address);
    const script = ['script', 'script/TipJar.s.sol', '--sig', 'run(bytes32)', salt, '--rpc-url', devnet.l2.rpc, ...asAlice, '--broadcast'];
    await project.forge(...script, ...pace);
    const { returns, transactions, receipts } = await written();
    assert.deepEqual(transactions.map(({ transactionType }) => transactionType), ['CREATE', 'CALL', 'CALL', 'CREATE2']);
    assert.deepEqual(receipts.map(({ transactionHash }) => transactionHash).sort(), transactions.map(({ hash }) => hash).sort());
    for (const receipt of receipts) {
      assert.equal(receipt.status, '0x1');
      const found = await l2Public.getTransactionReceipt({ hash: receipt.transactionHash });
      assert.equal(found.blockHash, receipt.blockHash);
      assert.equal(found.from, alice.address.toLowerCase());
    }
    assert.equal(await cast('call', returns.jar.value, 'tips()(uint256)'), '2');
    assert.equal(await cast('balance', returns.jar.value), String(parseGwei('3')));
    assert.notEqual(await cast('code', returns.fixedJar.value), '0x');
    // Everything is there, so nothing is sent again.
    const nonce = await cast('nonce', alice.address);
    await project.forge(...script, ...pace, '--resume');
    assert.equal(await cast('nonce', alice.address), nonce);
  }
});

test('forge create deploys with arguments', async () => {
  const args = ['create', 'src/TipJar.sol:TipJar', '--rpc-url', devnet.l2.rpc, ...asAlice, '--broadcast', '--json', '--value', '5'];
  const { deployedTo, transactionHash } = JSON.parse(await project.forge(...args, '--constructor-args', alice.address));
  assert.equal((await project.json('receipt', transactionHash)).status, '0x1');
  assert.equal(await cast('call', deployedTo, 'owner()(address)'), alice.address);
  assert.equal(await cast('balance', deployedTo), '5');
  const { address } = nobody();
  await assert.rejects(cast('call', deployedTo, 'empty()', '--from', address), /revert/);
  assert.equal((await send(deployedTo, 'empty()')).status, '0x1');
  assert.equal(await cast('balance', deployedTo), '0');
});

test('forge test runs on a fork of the chain', async () => {
  assert.match(await project.forge('test', '--fork-url', devnet.l2.rpc), /1 passed; 0 failed/);
});
