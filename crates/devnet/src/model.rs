//! From a file of questions and answers to a datanet and a model on chain.

use crate::{
    Account, Console, DevnetArgs, DevnetError, Layout, chain::Chain, devnet_json::ModelEntry, layout::write_atomically,
    nodes::Programs, supervisor::run_to_end,
};
use alloy::{
    primitives::{Address, B256, U256, hex, keccak256},
    sol_types::SolValue,
};
use openledger_attribution::contracts::{IDatanetRegistry, IModelRegistry};
use openledger_primitives::addresses::{DATANET_REGISTRY, MODEL_REGISTRY};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// What a model of the devnet costs and who gets it: the rates and shares of the specification's golden case, and 5 % of the
/// usage for the platform.
fn fees() -> IModelRegistry::FeeSchedule {
    let rate = |milli: u128| milli * 1_000_000_000_000_000;
    IModelRegistry::FeeSchedule {
        rateIn: rate(200),
        rateOut: rate(400),
        platformKind: 1,
        platformValue: 500,
        modelBps: 7000,
        stakersBps: 1000,
        contributorsBps: 2000,
    }
}

/// What `openlora train` reports, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TrainingReport {
    backbone: B256,
    adapter: B256,
    dataset_root: B256,
    data: u32,
    steps: Vec<Step>,
    evaluations: Vec<Evaluation>,
    contributors: Vec<Contributor>,
}

#[derive(Debug, Deserialize)]
struct Step {
    loss: f64,
}

#[derive(Debug, Deserialize)]
struct Evaluation {
    loss: f64,
}

#[derive(Debug, Deserialize)]
struct Contributor {
    name: String,
}

/// A model that is ready to be served, and whose data it learned from.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// The model.
    pub entry: ModelEntry,
    /// Accounts of the contributors.
    pub contributors: Vec<Account>,
}

/// Trains, indexes and registers what is not yet.
pub(crate) async fn prepare(
    args: &DevnetArgs,
    layout: &Layout,
    programs: &Programs,
    l2: &Chain,
    console: Console,
) -> Result<Prepared, DevnetError> {
    let data = fs::read(&programs.data).map_err(DevnetError::file(&programs.data))?;
    let name = adapter_name(args, &programs.data, &data);
    let contributors = contributors(&programs.data, &data, args.training.contributor_field.as_deref())?;
    let folder = layout.adapters().join(&name);
    let addresses = layout.datanet().join(&name).with_extension("contributors.json");
    let map: BTreeMap<&str, Address> =
        contributors.iter().map(|account| (account.name.as_str(), account.address)).collect();
    write_atomically(&addresses, &serde_json::to_vec_pretty(&map).expect("plain data"))?;

    console.title("Fine-tuning a LoRA adapter on the datanet's data");
    console.item("data", programs.data.display());
    run_to_end(&programs.train(args, layout, &folder, &addresses), |line| console.note(line)).await?;
    let report = read_report(&folder)?;
    show_training(&report, console)?;

    console.title("Indexing the gradient of each datum");
    run_to_end(&programs.index(layout, &folder), |line| console.note(line)).await?;

    console.title("Registering datanet and model on the L2");
    let datanet_id = register_datanet(l2, &report, &name, console).await?;
    let model_id = register_model(l2, &report, &name, console).await?;
    let entry = ModelEntry {
        name,
        model_id,
        backbone: report.backbone,
        adapter: report.adapter,
        dataset_root: report.dataset_root,
        datanet_id,
        question: first_question(&folder)?,
    };
    let used: Vec<Account> = contributors
        .into_iter()
        .filter(|account| report.contributors.iter().any(|used| used.name == account.name))
        .collect();
    Ok(Prepared { entry, contributors: used })
}

/// One name for one set of data and settings: other data or settings make another adapter beside it.
fn adapter_name(args: &DevnetArgs, path: &Path, data: &[u8]) -> String {
    let settings =
        format!("{}|{}|{:?}", args.training.data_limit, args.training.epochs, args.training.contributor_field);
    let digest = keccak256([keccak256(data).as_slice(), settings.as_bytes()].concat());
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    format!("{plain}-{}", hex::encode(&digest[..3]))
}

/// Gives each contributor that the data names an account; a contributor that is an address stands for itself.
fn contributors(path: &Path, data: &[u8], field: Option<&str>) -> Result<Vec<Account>, DevnetError> {
    let malformed = |reason: String| DevnetError::Malformed { path: path.to_owned(), reason };
    let fields = field.map_or_else(|| vec!["contributor", "category"], |field| vec![field]);
    let mut accounts = BTreeMap::new();
    for (line, text) in data.split(|byte| *byte == b'\n').enumerate().filter(|(_, text)| !text.trim_ascii().is_empty())
    {
        let row: Value =
            serde_json::from_slice(text).map_err(|error| malformed(format!("line {}: {error}", line + 1)))?;
        let name = fields.iter().find_map(|field| row.get(*field)?.as_str()).map(str::trim);
        let name = name.ok_or_else(|| {
            malformed(format!(
                "line {} has no text member {}; name it with --contributor-field",
                line + 1,
                fields.join(" or ")
            ))
        })?;
        if !(name.starts_with("0x") && name.parse::<Address>().is_ok()) {
            accounts.entry(name.to_owned()).or_insert_with(|| Account::contributor(name));
        }
    }
    Ok(accounts.into_values().collect())
}

fn read_report(folder: &Path) -> Result<TrainingReport, DevnetError> {
    let path = folder.join("training_report.json");
    let bytes = fs::read(&path).map_err(DevnetError::file(&path))?;
    serde_json::from_slice(&bytes).map_err(|error| DevnetError::Malformed { path, reason: error.to_string() })
}

/// The question of the first datum that the adapter was trained on.
fn first_question(folder: &Path) -> Result<String, DevnetError> {
    let path = folder.join("dataset.jsonl");
    let text = fs::read_to_string(&path).map_err(DevnetError::file(&path))?;
    let row: Option<Value> = text.lines().next().and_then(|line| serde_json::from_str(line).ok());
    let question = row.and_then(|row| row.get("question")?.as_str().map(str::to_owned));
    question.ok_or(DevnetError::Malformed { path, reason: "its first line has no question".into() })
}

/// Shows that the loss fell, and fails if it did not: on data held out where there are some, else on those trained on.
fn show_training(report: &TrainingReport, console: Console) -> Result<(), DevnetError> {
    let half = report.steps.len() / 2;
    let mean = |steps: &[Step]| steps.iter().map(|step| step.loss).sum::<f64>() / steps.len().max(1) as f64;
    let (what, before, after) = match report.evaluations.as_slice() {
        [first, .., last] => ("on data held out", first.loss, last.loss),
        _ => ("in the second half of the steps", mean(&report.steps[..half]), mean(&report.steps[half..])),
    };
    if after >= before {
        return Err(DevnetError::Check(format!("the loss {what} did not fall: {before:.3} before, {after:.3} after")));
    }
    console.held(&format!("the loss {what} fell from {before:.3} to {after:.3}"));
    Ok(())
}

async fn register_datanet(
    l2: &Chain,
    report: &TrainingReport,
    name: &str,
    console: Console,
) -> Result<u64, DevnetError> {
    let developer = Account::role("developer");
    let found = find_datanet(l2, developer.address, name).await?;
    let (id, published) = match found {
        Some((id, version)) => (id, version > 0),
        None => {
            let call = IDatanetRegistry::createDatanetCall { name: name.to_owned() };
            l2.send("create the datanet", &developer, DATANET_REGISTRY, U256::ZERO, &call).await?;
            let created = find_datanet(l2, developer.address, name).await?;
            (created.ok_or_else(|| DevnetError::Check("the new datanet is not on chain".into()))?.0, false)
        }
    };
    if !published {
        let call = IDatanetRegistry::publishVersionCall {
            datanetId: U256::from(id),
            root: report.dataset_root,
            count: report.data,
            uri: format!("devnet:{name}"),
        };
        let receipt = l2.send("publish the datanet's version", &developer, DATANET_REGISTRY, U256::ZERO, &call).await?;
        console.item(
            "transaction",
            format!("{} in L2 block {}", receipt.transaction_hash, receipt.block_number.unwrap_or_default()),
        );
    }
    if !l2.call(DATANET_REGISTRY, &IDatanetRegistry::isRootCall { root: report.dataset_root }).await? {
        return Err(DevnetError::Check(format!("datanet {id} does not have the root {}", report.dataset_root)));
    }
    let (data, count) = (report.data, report.contributors.len());
    console.held(&format!("datanet {id} has {data} data of {count} contributors under root {}", report.dataset_root));
    Ok(id)
}

/// The datanet of that owner and name and its latest version.
async fn find_datanet(l2: &Chain, owner: Address, name: &str) -> Result<Option<(u64, u32)>, DevnetError> {
    for id in 1.. {
        let found = l2.call(DATANET_REGISTRY, &IDatanetRegistry::datanetCall { datanetId: U256::from(id) }).await;
        match found {
            Ok(datanet) if datanet.owner == owner && datanet.name == name => {
                return Ok(Some((id, datanet.latestVersion)));
            }
            Ok(datanet) if !datanet.owner.is_zero() => {}
            // The registry refuses ids beyond its last.
            Ok(_) | Err(DevnetError::Rpc { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

async fn register_model(
    l2: &Chain,
    report: &TrainingReport,
    name: &str,
    console: Console,
) -> Result<B256, DevnetError> {
    let model_id = keccak256((report.backbone, report.adapter).abi_encode());
    let developer = Account::role("developer");
    let ask = IModelRegistry::modelCall { modelId: model_id };
    if l2.call(MODEL_REGISTRY, &ask).await?.owner.is_zero() {
        let call = IModelRegistry::registerCall {
            backbone: report.backbone,
            adapter: report.adapter,
            datasetRoot: report.dataset_root,
            fees: fees(),
            uri: format!("devnet:{name}"),
        };
        let receipt = l2.send("register the model", &developer, MODEL_REGISTRY, U256::ZERO, &call).await?;
        console.item(
            "transaction",
            format!("{} in L2 block {}", receipt.transaction_hash, receipt.block_number.unwrap_or_default()),
        );
    }
    let registered = l2.call(MODEL_REGISTRY, &ask).await?;
    if registered.adapter != report.adapter || registered.datasetRoot != report.dataset_root {
        return Err(DevnetError::Check(format!("model {model_id} is registered with other contents")));
    }
    console.held(&format!("model {model_id}"));
    console.item("backbone", format!("sha256 {}", report.backbone));
    console.item("adapter", format!("content hash {}", report.adapter));
    Ok(model_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contributors_get_accounts_and_addresses_stand_for_themselves() {
        let rows = "{\"category\":\"vvs\"}\n\n{\"category\":\"vvs\"}\n{\"contributor\":\"0x00000000000000000000000000000000000000aa\"}\n";
        let accounts = contributors(Path::new("x.jsonl"), rows.as_bytes(), None).unwrap();
        assert_eq!(accounts, [Account::contributor("vvs")]);
        let error = contributors(Path::new("x.jsonl"), b"{\"category\":\"a\"}\n{}", None).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("--contributor-field"), "{error}");
        assert!(contributors(Path::new("x.jsonl"), b"{", None).is_err());
        assert!(contributors(Path::new("x.jsonl"), rows.as_bytes(), Some("source")).is_err());
    }
}
