// A page in a browser that has the wallet: it connects, adds the network, sends OPEN, and sees it confirmed.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { numberToHex, parseEther } from 'viem';
import { Browser } from '../src/browser.mjs';
import { root } from '../src/checkout.mjs';
import { account, devnet, l2Public, nobody, until } from '../src/devnet.mjs';
import { network } from '../src/readme.mjs';
import { serve } from '../src/site.mjs';
import { Wallet } from '../src/wallet.mjs';

const asked = {
  chainId: network.chainId,
  chainName: network.name,
  nativeCurrency: { name: network.symbol, symbol: network.symbol, decimals: 18 },
  rpcUrls: [network.url],
};
let wallet, site, browser, page, origin;

before(async () => {
  wallet = await Wallet.create(account('payer').privateKey);
  site = await serve(path.join(root, 'tests/wallets/page'), { 'network.json': asked });
  origin = new URL(site.url).origin;
  browser = await Browser.start(wallet);
  page = await browser.open(site.url);
});
after(async () => {
  await browser?.close();
  await site?.close();
  await wallet?.stop();
});

/** The wallet asks this of its user, who agrees. */
async function confirm(type, from = origin) {
  const popup = await wallet.popup();
  assert.equal(popup.type, type);
  assert.equal(popup.origin, from);
  await popup.confirm();
  return popup;
}

/** What the account has stands on the page. */
async function showsBalance() {
  const balance = await l2Public.getBalance({ address: wallet.address });
  await until('the balance on the page', async () => {
    const [, digits, symbol] = /^([\d,.]+) (.+)$/.exec(await page.locator('#balance').textContent()) ?? [];
    return symbol === network.symbol && parseEther(digits.replaceAll(',', '')) === balance;
  });
}

const button = (name) => page.getByRole('button', { name });

test('the page finds the wallet, and is told nothing before the user agrees', async () => {
  await browser.picture(page, 'page-1-found');
  assert.deepEqual(await page.evaluate(() => window.ethereum.request({ method: 'eth_accounts' })), []);
  await button('Connect MetaMask').click();
  await (await wallet.popup()).decline();
  await page.getByText('You declined it in the wallet.').waitFor();
  await button('Connect MetaMask').click();
  await confirm('wallet_requestPermissions');
  await page.getByText(new RegExp(wallet.address, 'i')).waitFor();
});

test('the page has the wallet add the network', async () => {
  await page.getByText('another network (1)').waitFor();
  await browser.picture(page, 'page-2-another-network');
  await button(`Switch to ${network.name}`).click();
  const { requestData } = await confirm('wallet_addEthereumChain');
  assert.equal(requestData.rpcUrl, network.url);
  await page.locator('#network', { hasText: network.name }).waitFor();
  await showsBalance();
});

test('the page sends OPEN and shows it confirmed', async () => {
  const to = nobody().address;
  await page.getByLabel('To').fill(to);
  await page.getByLabel('Amount').fill('1.25');
  await button('Send').click();
  const { txParams } = await confirm('transaction');
  assert.equal(txParams.to, to.toLowerCase());
  assert.equal(BigInt(txParams.value), parseEther('1.25'));
  await page.getByText('pending').waitFor();
  await page.getByText(/^confirmed in block \d+$/).waitFor();
  await browser.picture(page, 'page-3-confirmed');
  const hash = await page.locator('#list .hash').first().textContent();
  assert.equal((await l2Public.getTransactionReceipt({ hash })).status, 'success');
  assert.equal(await l2Public.getBalance({ address: to }), parseEther('1.25'));
  const { id } = wallet.transactions.state.transactions.find((meta) => meta.hash === hash);
  await wallet.confirmed(id);
  await showsBalance();
  assert.deepEqual(page.errors, []);
});

test('the user declines to send, and nothing is sent', async () => {
  const nonce = await wallet.nextNonce();
  await page.getByLabel('To').fill(nobody().address);
  await page.getByLabel('Amount').fill('1');
  await button('Send').click();
  await (await wallet.popup()).decline();
  await page.getByText('You declined it in the wallet.').waitFor();
  assert.equal(await wallet.nextNonce(), nonce);
});

test('the page follows the wallet to another network, and has it come back', async () => {
  await wallet.networks.setActiveNetwork('mainnet');
  await page.getByText('another network (1)').waitFor();
  await button(`Switch to ${network.name}`).click();
  await confirm('wallet_switchEthereumChain');
  await page.locator('#network', { hasText: network.name }).waitFor();
  await showsBalance();
});

test('the page is disconnected, and asks again', async () => {
  wallet.pages.permissions.revokeAllPermissions(origin);
  await button('Connect MetaMask').click();
  await confirm('wallet_requestPermissions');
  await showsBalance();
  assert.deepEqual(page.errors, []);
});

test("MetaMask's own test page connects, sends, deploys and signs", async () => {
  const dapp = await serve(path.join(root, 'tests/wallets/node_modules/@metamask/test-dapp/dist'));
  const from = new URL(dapp.url).origin;
  page = await browser.open(dapp.url);
  const click = (id) => page.locator(`#${id}`).click();
  const shows = (id, text) => page.locator(`#${id}`, { hasText: text }).waitFor();
  try {
    await button('Use MetaMask').click();
    await click('connectButton');
    await confirm('wallet_requestPermissions', from);
    await shows('accounts', new RegExp(wallet.address, 'i'));
    await shows('chainId', network.chainId);
    await shows('network', String(devnet.l2.chainId));

    for (const id of ['sendButton', 'sendEIP1559Button']) {
      await click(id);
      const popup = await confirm('transaction', from);
      await wallet.confirmed(popup.id);
    }

    await click('deployButton');
    await confirm('transaction', from);
    await shows('contractStatus', 'Deployed');
    await click('depositButton');
    await confirm('transaction', from);
    await shows('contractStatus', 'Deposit completed');

    await click('personalSign');
    await confirm('personal_sign', from);
    await shows('personalSignResult', /0x[0-9a-f]{130}/);
    await click('personalSignVerify');
    await shows('personalSignVerifyECRecoverResult', new RegExp(wallet.address, 'i'));

    await click('signTypedDataV4');
    const { requestData } = await confirm('eth_signTypedData_v4', from);
    assert.equal(numberToHex(JSON.parse(requestData.data).domain.chainId), network.chainId);
    await shows('signTypedDataV4Result', /0x[0-9a-f]{130}/);
    await click('signTypedDataV4Verify');
    await shows('signTypedDataV4VerifyResult', new RegExp(wallet.address, 'i'));
    await browser.picture(page, 'test-dapp');
  } finally {
    await dapp.close();
  }
});
