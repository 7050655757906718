//! What operators build on: readiness, and the metrics that dashboard and alerts name.

use std::{collections::BTreeSet, path::Path};

use super::rpc::Served;

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
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    for file in ["grafana/openledger.json", "prometheus/alerts.yml"] {
        let text = std::fs::read_to_string(configs.join(file)).unwrap();
        let used = names(&text);
        assert!(used.len() > 5, "{file} names {used:?}");
        let unknown: Vec<_> = used.difference(&exposed).collect();
        assert!(unknown.is_empty(), "{file} uses {unknown:?}, which /metrics does not have");
    }
    let dashboard = std::fs::read_to_string(configs.join("grafana/openledger.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&dashboard).unwrap();
    let missing: Vec<_> = exposed.difference(&names(&dashboard)).copied().collect();
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
