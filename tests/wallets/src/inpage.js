// Runs in each page before the page's own scripts, as what the extension puts there: a provider (EIP-1193) that is announced
// to the page (EIP-6963). It asks the wallet through `openledgerWallet`, which the test exposes.
(() => {
  const listeners = new Map();
  const provider = {
    isMetaMask: true,
    isConnected: () => true,
    async request({ method, params }) {
      const { error, result } = await window.openledgerWallet({ method, params });
      if (error) throw Object.assign(new Error(error.message), error);
      return result;
    },
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
      return provider;
    },
    removeListener(event, listener) {
      listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== listener));
      return provider;
    },
  };
  // What the wallet has to say without being asked.
  window.openledgerNotify = (event, data) => (listeners.get(event) ?? []).forEach((listener) => listener(data));

  const icon = `data:image/svg+xml,${encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8" fill="#f6851b"/><path d="M1 2l3 2 3-2-1 4H2z" fill="#fff"/></svg>',
  )}`;
  const info = { uuid: crypto.randomUUID(), name: 'MetaMask', icon, rdns: 'io.metamask' };
  const detail = Object.freeze({ info: Object.freeze(info), provider });
  const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }));
  window.ethereum = provider;
  window.addEventListener('eip6963:requestProvider', announce);
  announce();
})();
