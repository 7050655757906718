// A page that sends OPEN through whatever wallet the browser has, by EIP-6963 and EIP-1193 alone.
const $ = (id) => document.getElementById(id);
const network = await (await fetch('network.json')).json();
const { symbol } = network.nativeCurrency;
let wallet;
let account;

// ---- amounts: wei are integers -------------------------------------------------------------------------------------

const WEI = 10n ** 18n;

function toWei(text) {
  const [whole, part = ''] = text.split('.');
  return BigInt(whole) * WEI + BigInt(part.padEnd(18, '0'));
}

function fromWei(wei) {
  const part = (wei % WEI).toString().padStart(18, '0').replace(/0+$/, '');
  const whole = (wei / WEI).toLocaleString('en');
  return part ? `${whole}.${part}` : whole;
}

// ---- wallets -------------------------------------------------------------------------------------------------------

addEventListener('eip6963:announceProvider', ({ detail }) => {
  const { uuid, name, icon } = detail.info;
  if ([...$('found').children].some((item) => item.dataset.uuid === uuid)) return;
  const image = Object.assign(new Image(), { src: icon, alt: '' });
  const button = document.createElement('button');
  button.append(image, `Connect ${name}`);
  button.onclick = () => shown(() => connect(detail.provider));
  const item = document.createElement('li');
  item.dataset.uuid = uuid;
  item.append(button);
  $('found').append(item);
  $('none').hidden = true;
});
dispatchEvent(new Event('eip6963:requestProvider'));

async function connect(provider) {
  await provider.request({ method: 'eth_requestAccounts' });
  if (wallet !== provider) {
    provider.on('chainChanged', refresh);
    provider.on('accountsChanged', refresh);
  }
  wallet = provider;
  await refresh();
}

async function refresh() {
  [account] = await wallet.request({ method: 'eth_accounts' });
  const chainId = await wallet.request({ method: 'eth_chainId' });
  const here = chainId === network.chainId;
  $('network').textContent = here ? network.chainName : `another network (${Number(chainId)})`;
  $('wallets').hidden = Boolean(account);
  $('account').hidden = !account;
  $('address').textContent = account ?? '';
  $('add').textContent = `Switch to ${network.chainName}`;
  $('add').hidden = here;
  $('send').hidden = !account || !here;
  $('balance').hidden = !here;
  if (account && here) {
    const balance = await wallet.request({ method: 'eth_getBalance', params: [account, 'latest'] });
    $('balance').textContent = `${fromWei(BigInt(balance))} ${symbol}`;
  }
}

$('add').onclick = () =>
  shown(async () => {
    try {
      await wallet.request({ method: 'wallet_switchEthereumChain', params: [{ chainId: network.chainId }] });
    } catch (error) {
      // The wallet does not know it yet (EIP-3326).
      if (error.code !== 4902) throw error;
      await wallet.request({ method: 'wallet_addEthereumChain', params: [network] });
    }
    await refresh();
  });

// ---- sending -------------------------------------------------------------------------------------------------------

$('send').onsubmit = (event) => {
  event.preventDefault();
  const [to, amount] = [$('to').value, $('amount').value];
  shown(async () => {
    const value = `0x${toWei(amount).toString(16)}`;
    const hash = await wallet.request({ method: 'eth_sendTransaction', params: [{ from: account, to, value }] });
    const item = document.createElement('li');
    item.innerHTML = '<span></span><span class="status">pending</span><span class="hash"></span>';
    item.children[0].textContent = `${amount} ${symbol} to ${to.slice(0, 6)}…${to.slice(-4)}`;
    item.children[2].textContent = hash;
    $('list').prepend(item);
    $('sent').hidden = false;
    $('send').reset();
    const receipt = await mined(hash);
    const status = receipt.status === '0x1' ? 'confirmed' : 'failed';
    item.children[1].textContent = `${status} in block ${Number(receipt.blockNumber)}`;
    item.children[1].classList.add(status);
    await refresh();
  });
};

async function mined(hash) {
  for (;;) {
    const receipt = await wallet.request({ method: 'eth_getTransactionReceipt', params: [hash] });
    if (receipt) return receipt;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Does it; what goes wrong is said on the page. */
async function shown(act) {
  $('error').hidden = true;
  try {
    await act();
  } catch (error) {
    $('error').textContent = error.code === 4001 ? 'You declined it in the wallet.' : error.message;
    $('error').hidden = false;
  }
}
