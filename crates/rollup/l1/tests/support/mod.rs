//! A real anvil, and a proxy in front of it that can be made to fail.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this")]

use std::{sync::Arc, time::Duration};

use alloy::{
    network::Ethereum,
    providers::{Provider as _, ProviderBuilder, RootProvider},
    signers::local::PrivateKeySigner,
};
use alloy_primitives::{Address, B256, U256};
use openledger_primitives::{BlockNumHash, RollupConfig, RollupGenesis, SystemConfig};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// anvil's default.
pub const CHAIN_ID: u64 = 31337;
pub const INBOX: Address = Address::repeat_byte(0xff);
pub const PORTAL: Address = Address::repeat_byte(0xa1);
pub const SYSTEM_CONFIG: Address = Address::repeat_byte(0xa2);

/// An anvil of our own, ended with the value.
pub struct Anvil {
    process: openledger_testing::Anvil,
    pub provider: RootProvider<Ethereum>,
}

impl Anvil {
    pub fn start(arguments: &[&str]) -> Self {
        let process = openledger_testing::Anvil::start(arguments);
        let provider = ProviderBuilder::default().connect_http(process.url().parse().unwrap());
        Self { process, provider }
    }

    pub fn url(&self) -> String {
        self.process.url()
    }

    pub fn port(&self) -> u16 {
        self.process.port()
    }

    pub async fn rpc(&self, method: &'static str, params: Value) -> Value {
        self.provider.raw_request(method.into(), params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    pub async fn mine(&self, blocks: u64) {
        self.rpc("anvil_mine", json!([U256::from(blocks)])).await;
    }

    pub async fn fund(&self, account: Address, wei: U256) {
        self.rpc("anvil_setBalance", json!([account, wei])).await;
    }

    /// Sends from one of anvil's own accounts and returns the hash.
    pub async fn send(&self, from: usize, transaction: Value) -> B256 {
        let accounts: Vec<Address> = serde_json::from_value(self.rpc("eth_accounts", json!([])).await).unwrap();
        let mut transaction = transaction;
        transaction["from"] = json!(accounts[from]);
        serde_json::from_value(self.rpc("eth_sendTransaction", json!([transaction])).await).unwrap()
    }

    /// The same, and waits until it is mined: anvil answers before.
    pub async fn send_mined(&self, from: usize, transaction: Value) {
        let hash = self.send(from, transaction).await;
        for _ in 0..100 {
            if !self.rpc("eth_getTransactionReceipt", json!([hash])).await.is_null() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("anvil does not mine");
    }

    pub async fn nonce(&self, account: Address) -> u64 {
        self.provider.get_transaction_count(account).await.unwrap()
    }
}

/// A key with money on this anvil.
pub async fn funded_key(anvil: &Anvil) -> PrivateKeySigner {
    let key = PrivateKeySigner::random();
    anvil.fund(key.address(), U256::from(10).pow(U256::from(20))).await;
    key
}

/// What the proxy does with requests.
#[derive(Clone)]
pub enum Mode {
    Pass,
    /// Connections are closed without an answer.
    Down,
    /// Requests are never answered.
    Hang,
    /// Requests reach L1, but their answers get lost.
    LoseAnswers,
    /// Replaces text in answers by text of the same length.
    Tamper(String, String),
    /// The next request of this method is refused with this message, and does not reach L1.
    RefuseOnce(&'static str, &'static str),
}

/// Stands between the code under test and anvil.
pub struct Proxy {
    pub mode: Arc<Mutex<Mode>>,
    /// Methods that were asked for, in order.
    pub methods: Arc<Mutex<Vec<String>>>,
    port: u16,
}

impl Proxy {
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(Mutex::new(Mode::Pass));
        let methods = Arc::new(Mutex::new(Vec::new()));
        let shared = (mode.clone(), methods.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, target, shared.0.clone(), shared.1.clone()));
            }
        });
        Self { mode, methods, port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn set(&self, mode: Mode) {
        *self.mode.lock() = mode;
    }
}

async fn serve(
    mut client: TcpStream,
    target: u16,
    mode: Arc<Mutex<Mode>>,
    methods: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut server = TcpStream::connect(("127.0.0.1", target)).await.ok()?;
    loop {
        let request = read_message(&mut client).await?;
        let body = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let call: Value = serde_json::from_slice(&request[body..]).unwrap();
        let method = call["method"].as_str().unwrap().to_owned();
        methods.lock().push(method.clone());
        let now = mode.lock().clone();
        match now {
            Mode::RefuseOnce(refused, message) if method == refused => {
                *mode.lock() = Mode::Pass;
                let error = json!({ "code": -32000, "message": message });
                let answer = json!({ "jsonrpc": "2.0", "id": call["id"], "error": error }).to_string();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
                client.write_all(format!("{head}{}\r\n\r\n{answer}", answer.len()).as_bytes()).await.ok()?;
                continue;
            }
            Mode::Down => return None,
            Mode::Hang => std::future::pending::<()>().await,
            _ => {}
        }
        server.write_all(&request).await.ok()?;
        let mut answer = read_message(&mut server).await?;
        match now {
            Mode::LoseAnswers => return None,
            Mode::Tamper(from, to) => {
                assert_eq!(from.len(), to.len());
                answer = String::from_utf8(answer).unwrap().replace(&from, &to).into_bytes();
            }
            _ => {}
        }
        client.write_all(&answer).await.ok()?;
    }
}

/// Reads one HTTP message with a `content-length`.
async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        if let Some(end) = message.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&message[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if message.len() >= end + 4 + length {
                return Some(message);
            }
        }
        match stream.read(&mut buffer).await.ok()? {
            0 => return None,
            read => message.extend_from_slice(&buffer[..read]),
        }
    }
}

pub fn rollup() -> RollupConfig {
    let genesis = RollupGenesis {
        l1: BlockNumHash::default(),
        l2: BlockNumHash::default(),
        l2_time: 0,
        system_config: SystemConfig::default(),
    };
    RollupConfig {
        batch_inbox_address: INBOX,
        deposit_contract_address: PORTAL,
        l1_system_config_address: SYSTEM_CONFIG,
        ..RollupConfig::new(genesis, CHAIN_ID, 20300)
    }
}
