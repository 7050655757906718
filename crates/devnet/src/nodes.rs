//! Command lines of our own programs.

use crate::{Account, DevnetArgs, DevnetError, Layout, accounts, layout::write_atomically, supervisor::ProcessSpec};
use std::{
    env,
    ffi::OsString,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Turns values of different types into arguments.
macro_rules! flags {
    ($($flag:expr),* $(,)?) => { vec![$(OsString::from($flag)),*] };
}

/// The programs and files that `make setup` and `make build` put in place.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// This program.
    pub openledger: PathBuf,
    /// The inference server.
    pub openlora: PathBuf,
    /// The backbone.
    pub backbone: PathBuf,
    /// The demo's data.
    pub data: PathBuf,
    /// Where libtorch's shared objects are, for the inference server.
    library_path: OsString,
}

impl Programs {
    /// Finds them; what is missing is said together with the command that makes it.
    pub(crate) fn find(args: &DevnetArgs) -> Result<Self, DevnetError> {
        let openledger = env::current_exe().map_err(DevnetError::file("/proc/self/exe"))?;
        let openlora = args.openlora.clone().unwrap_or_else(|| openledger.with_file_name("openlora"));
        let home = home();
        let backbone =
            args.training.backbone.clone().unwrap_or_else(|| home.join("models/SmolLM2-135M-Instruct.Q4_1.gguf"));
        let data = args.training.data.clone().unwrap_or_else(|| home.join("datasets/construction-faq-en.jsonl"));
        let libtorch = env::var_os("LIBTORCH").map_or_else(|| home.join("libtorch"), PathBuf::from).join("lib");
        let expected = [
            ("the inference server", &openlora, "make build"),
            ("the backbone", &backbone, "make setup"),
            ("the data", &data, "make setup"),
            ("libtorch", &libtorch, "make setup"),
            ("the folder of compiled contracts", &args.artifacts, "make contracts"),
        ];
        for (what, path, remedy) in expected {
            if !path.exists() {
                return Err(DevnetError::Missing { what, path: path.clone(), remedy });
            }
        }
        let inherited = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let paths =
            [libtorch].into_iter().chain(env::split_paths(&inherited).filter(|path| !path.as_os_str().is_empty()));
        let library_path = env::join_paths(paths).unwrap_or(inherited);
        Ok(Self { openledger, openlora, backbone, data, library_path })
    }

    /// `openledger deploy`, with OPEN on both layers for every account that has a role.
    pub(crate) fn deploy(&self, args: &DevnetArgs, layout: &Layout) -> ProcessSpec {
        let address = |role| Account::role(role).address.to_string();
        let mut flags = flags! {
            "deploy", "--l1-rpc", url(args.l1_port), "--out", layout.chain(), "--artifacts", &args.artifacts,
            "--deployer-key-file", layout.keys().join("deployer"), "--batcher", address("batcher"),
            "--proposer", address("proposer"), "--operator", address("operator"),
        };
        for account in accounts::roles() {
            flags.extend(flags! { "--fund", account.address.to_string() });
        }
        self.openledger("deploy", layout, flags)
    }

    /// `openledger sequencer`.
    pub(crate) fn sequencer(&self, args: &DevnetArgs, layout: &Layout) -> ProcessSpec {
        let mut flags = flags! { "sequencer" };
        flags.extend(node_flags(args, layout, layout.sequencer(), args.l2_port));
        flags.extend(flags! {
            "--batcher-key-file", layout.keys().join("batcher"), "--proposer-key-file", layout.keys().join("proposer"),
        });
        if let Some(block) = args.unsafe_corrupt_state_at {
            flags.extend(flags! { "--unsafe-corrupt-state-at", block.to_string() });
        }
        self.openledger("sequencer", layout, flags)
    }

    /// `openledger verifier`.
    pub(crate) fn verifier(&self, args: &DevnetArgs, layout: &Layout) -> ProcessSpec {
        let mut flags = flags! { "verifier" };
        flags.extend(node_flags(args, layout, layout.verifier(), args.verifier_port));
        self.openledger("verifier", layout, flags)
    }

    /// `openlora train`, into the folder `output`.
    pub(crate) fn train(&self, args: &DevnetArgs, layout: &Layout, output: &Path, contributors: &Path) -> ProcessSpec {
        let training = &args.training;
        let mut flags = flags! {
            "train", "--model", &self.backbone, "--dataset", &self.data, "--output", output, "--contributors", contributors,
            "--epochs", training.epochs.to_string(),
        };
        if training.data_limit > 0 {
            flags.extend(flags! { "--limit", training.data_limit.to_string() });
        }
        if let Some(field) = &training.contributor_field {
            flags.extend(flags! { "--contributor-field", field });
        }
        self.openlora("train", layout, flags)
    }

    /// `openlora index`, of the adapter in the folder `adapter`.
    pub(crate) fn index(&self, layout: &Layout, adapter: &Path) -> ProcessSpec {
        self.openlora("index", layout, flags! { "index", "--model", &self.backbone, "--adapter", adapter })
    }

    /// `openlora serve`.
    pub(crate) fn serve(&self, args: &DevnetArgs, layout: &Layout) -> ProcessSpec {
        let flags = flags! {
            "serve", "--model", &self.backbone, "--adapters", layout.adapters(), "--datadir", layout.openlora(),
            "--port", args.inference_port.to_string(), "--l2-rpc", url(args.l2_port),
            "--operator-key-file", layout.keys().join("operator"),
        };
        self.openlora("openlora", layout, flags)
    }

    fn openledger(&self, name: &'static str, layout: &Layout, args: Vec<OsString>) -> ProcessSpec {
        let log = layout.logs().join(name).with_extension("log");
        ProcessSpec { name, program: self.openledger.clone(), args, env: vec![], log, prepare: None }
    }

    fn openlora(&self, name: &'static str, layout: &Layout, args: Vec<OsString>) -> ProcessSpec {
        let log = layout.logs().join(name).with_extension("log");
        let env = vec![("LD_LIBRARY_PATH", self.library_path.clone())];
        ProcessSpec { name, program: self.openlora.clone(), args, env, log, prepare: None }
    }
}

fn node_flags(args: &DevnetArgs, layout: &Layout, datadir: PathBuf, port: u16) -> Vec<OsString> {
    flags! {
        "--datadir", datadir, "--genesis", layout.chain().join("genesis.json"),
        "--rollup-config", layout.chain().join("rollup.json"), "--l1-rpc", url(args.l1_port), "--http-port", port.to_string(),
    }
}

/// The URL of a port of this machine.
pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Where `make setup` puts what is not in the checkout.
fn home() -> PathBuf {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("OPENLEDGER_HOME").unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
        cache.unwrap_or_default().join("openledger")
    })
}

/// Writes the development keys that processes sign with.
pub(crate) fn write_keys(layout: &Layout) -> Result<(), DevnetError> {
    for role in ["deployer", "batcher", "proposer", "operator"] {
        let path = layout.keys().join(role);
        write_atomically(&path, format!("{}\n", Account::role(role).private_key).as_bytes())?;
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(DevnetError::file(&path))?;
    }
    Ok(())
}
