//! What operators build on: readiness, and the metrics that dashboard and alerts name.

use std::collections::BTreeSet;

use super::{
    l1::{BATCH_COST, BATCH_GAS},
    rpc::Served,
};

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(|letter| !is_part(letter)).filter(|word| word.starts_with("openledger_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_and_alerts_use_metrics_that_are_there() {
    let served = Served::start().await;
    let text = served.get("/metrics").await;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let exposed: BTreeSet<&str> = types.collect();
    let configs = openledger_testing::workspace().join("configs");
    // A histogram has one type and three kinds of lines.
    let base = |name: &str| name.strip_suffix("_bucket").is_some_and(|base| exposed.contains(base));
    for file in ["grafana/openledger.json", "prometheus/alerts.yml"] {
        let text = std::fs::read_to_string(configs.join(file)).unwrap();
        let used = names(&text);
        assert!(used.len() > 5, "{file} names {used:?}");
        let unknown: Vec<_> = used.difference(&exposed).filter(|name| !base(name)).collect();
        assert!(unknown.is_empty(), "{file} uses {unknown:?}, which /metrics does not have");
    }
    let dashboard = std::fs::read_to_string(configs.join("grafana/openledger.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&dashboard).unwrap();
    let shown: BTreeSet<_> =
        names(&dashboard).into_iter().map(|name| name.strip_suffix("_bucket").unwrap_or(name)).collect();
    let missing: Vec<_> = exposed.difference(&shown).copied().collect();
    assert!(missing.is_empty(), "the dashboard does not show {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequencer_that_stands_still_is_not_ready() {
    let served = Served::start().await;
    // The blocks of these tests are of the year 2023.
    let answer = served.get("/ready").await;
    assert!(answer.starts_with(r#"{"ready":false,"reason":"the newest block is "#), "{answer}");
    let response = reqwest::get(format!("{}/ready", served.url())).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(served.get("/metrics").await.contains("\nopenledger_ready 0\n"));
}

/// The value of a metric, labels included in its name.
async fn metric(served: &Served, name: &str) -> u128 {
    let text = served.get("/metrics").await;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_by_method_alone_and_in_batches() {
    let served = Served::start().await;
    let call =
        |method: &str, params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    served.post(&call("eth_chainId", "[]")).await;
    served.post(&call("eth_getBalance", r#"["x","latest"]"#)).await;
    served.post(&call("eth_getBalance", r#"["10","latest"]"#)).await;
    let batch = [call("eth_chainId", "[]"), call("eth_made_up", "[]"), call("eth_getBalance", "[]"), "1".to_owned()];
    let answers = served.post(&format!("[{}]", batch.join(","))).await;
    assert_eq!(answers.as_array().unwrap().len(), 4, "{answers}");
    for made_up in 0..20 {
        served.post(&call(&format!("eth_made_up_{made_up}"), "[]")).await;
    }
    // A batch of nothing but transactions goes another way.
    let (next, gap) = (served.actor.signed_transfer(2), served.actor.signed_transfer(3));
    let params = [format!("[\"{next}\"]"), format!("[\"{gap}\"]"), "[\"0x00\"]".to_owned()];
    let batch = params.map(|params| call("eth_sendRawTransaction", &params));
    served.post(&format!("[{}]", batch.join(","))).await;

    for (name, value) in [
        (r#"requests_total{method="eth_chainId"}"#, 2),
        (r#"seconds_count{method="eth_chainId"}"#, 2),
        (r#"seconds_bucket{method="eth_chainId",le="+Inf"}"#, 2),
        (r#"requests_total{method="eth_getBalance"}"#, 3),
        (r#"errors_total{method="eth_getBalance",code="-32602"}"#, 3),
        (r#"requests_total{method="unknown"}"#, 21),
        (r#"errors_total{method="unknown",code="-32601"}"#, 21),
        (r#"requests_total{method="eth_sendRawTransaction"}"#, 3),
        (r#"errors_total{method="eth_sendRawTransaction",code="-32000"}"#, 1),
    ] {
        assert_eq!(metric(&served, &format!("openledger_rpc_{name}")).await, value, "{name}");
    }
    assert!(!served.get("/metrics").await.contains("made_up"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_batches_cost_is_counted() {
    let served = Served::start().await;
    let posted = metric(&served, "openledger_batches_posted_total").await;
    assert!(posted > 0, "{posted} batches");
    for (name, value) in [
        ("batcher_gas_total", posted * u128::from(BATCH_GAS)),
        ("batcher_spent_wei_total", posted * BATCH_COST),
        ("batches_failed_total", 0),
        // As the L1 of these tests says.
        ("batches_replaced_total", 3),
        ("batcher_balance_gwei", 5),
    ] {
        assert_eq!(metric(&served, &format!("openledger_{name}")).await, value, "{name}");
    }
    assert!(metric(&served, "openledger_batches_sent_total").await >= posted);
    assert!(metric(&served, "openledger_batcher_bytes_total").await > 100 * posted);
    let l1 = served.actor.status().heads().head;
    assert_eq!(metric(&served, "openledger_l1_head_timestamp_seconds").await, l1.timestamp.into());
}
