//! Adapters on a tiny random model.

use std::fs;

use openledger_backbone::{Backbone, KvCache, LinearDelta, NoDelta, Projection, Sequence, testing::write_tiny_gguf};
use openledger_lora::{
    AdapterConfig, AdapterRegistry, CONFIG_FILE, LoraAdapter, LoraBatch, LoraError, LoraWeights, WEIGHTS_FILE, Weights,
};
use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

fn tiny() -> Backbone {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    write_tiny_gguf(&path, 1).unwrap();
    Backbone::load(path, Device::Cpu).unwrap()
}

fn config(r: usize, modules: &[Projection]) -> AdapterConfig {
    AdapterConfig {
        r,
        lora_alpha: 16.0,
        use_rslora: false,
        target_modules: modules.to_vec(),
        lora_dropout: 0.0,
        base_model: None,
    }
}

fn adapter(backbone: &Backbone, r: usize, modules: &[Projection], b_scale: f64) -> LoraAdapter {
    let shape = backbone.model.config();
    let mut weights = Weights::new();
    for layer in 0..shape.layers {
        for &projection in modules {
            let (out, width) = shape.projection_shape(projection);
            let a = Tensor::randn([r as i64, width], (Kind::Float, Device::Cpu)) * 0.1;
            let b = Tensor::randn([out, r as i64], (Kind::Float, Device::Cpu)) * b_scale;
            weights.insert((layer, projection), LoraWeights { a, b });
        }
    }
    LoraAdapter::new(config(r, modules), &weights, shape).unwrap()
}

fn run(backbone: &Backbone, prompts: &[Vec<u32>], delta: &dyn LinearDelta) -> Tensor {
    let mut caches: Vec<KvCache> = prompts.iter().map(|_| KvCache::new(backbone.model.config(), Device::Cpu)).collect();
    let mut batch: Vec<Sequence<'_>> =
        caches.iter_mut().zip(prompts).map(|(cache, tokens)| Sequence { tokens, cache }).collect();
    backbone.model.step(&mut batch, delta).unwrap()
}

fn difference(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

#[test]
fn a_mixed_batch_equals_its_sequences_one_by_one() {
    let backbone = tiny();
    let small = adapter(&backbone, 2, &[Projection::Q, Projection::V], 0.3);
    let large = adapter(&backbone, 8, &Projection::ALL, 0.1);
    let used = [Some(&small), None, Some(&large), Some(&large), Some(&small), None];
    let prompts: Vec<Vec<u32>> = (1..=6u32).map(|i| (0..i * 3 % 7 + 1).map(|j| i * 40 + j).collect()).collect();
    let delta = LoraBatch::new(used.iter().copied().zip(prompts.iter().map(Vec::len)));
    let together = run(&backbone, &prompts, &delta);
    let base = run(&backbone, &prompts, &NoDelta);
    for (i, (adapter, prompt)) in used.iter().zip(&prompts).enumerate() {
        let alone = run(&backbone, std::slice::from_ref(prompt), &LoraBatch::new([(*adapter, prompt.len())]));
        let row = together.select(0, i as i64);
        assert!(difference(&row, &alone.squeeze()) < 1e-4);
        let changed = difference(&row, &base.select(0, i as i64));
        assert_eq!(changed > 1e-2, adapter.is_some(), "sequence {i} differs from the backbone by {changed}");
    }
}

#[test]
fn with_b_zero_nothing_changes() {
    let backbone = tiny();
    let zero = adapter(&backbone, 4, &Projection::ALL, 0.0);
    let prompts = vec![vec![1, 2, 3], vec![9]];
    let with = run(&backbone, &prompts, &LoraBatch::new([(Some(&zero), 3), (Some(&zero), 1)]));
    assert_eq!(difference(&with, &run(&backbone, &prompts, &NoDelta)), 0.0);
}

#[test]
fn merging_gives_the_same_layer() {
    let backbone = tiny();
    let adapter = adapter(&backbone, 4, &[Projection::Down], 0.3);
    let weight = backbone.model.weight(1, Projection::Down);
    let x = Tensor::randn([5, 96], (Kind::Float, Device::Cpu));
    let apart = x.linear(weight, None::<Tensor>) + adapter.delta(1, Projection::Down, &x).unwrap().unwrap();
    let merged = adapter.merged(1, Projection::Down, weight).unwrap();
    assert!(difference(&apart, &x.linear(&merged, None::<Tensor>)) < 1e-4);
    // W + scaling · B·A by hand, for one element.
    let pair = &adapter.weights()[&(1, Projection::Down)];
    let product: f64 = (0..4).map(|k| pair.b.double_value(&[7, k]) * pair.a.double_value(&[k, 11])).sum();
    let expected = weight.double_value(&[7, 11]) + 4.0 * product;
    assert!((merged.double_value(&[7, 11]) - expected).abs() < 1e-5);
    assert!(adapter.delta(1, Projection::Up, &x).unwrap().is_none());
}

#[test]
fn saved_adapters_come_back_with_their_hash() {
    let backbone = tiny();
    let folder = tempfile::tempdir().unwrap();
    let saved = adapter(&backbone, 4, &[Projection::Q, Projection::Down], 0.3);
    saved.save(folder.path()).unwrap();
    let load = || LoraAdapter::load(folder.path(), backbone.model.config(), Device::Cpu);
    let loaded = load().unwrap();
    assert_eq!(loaded.content_hash(), saved.content_hash());
    assert_eq!(loaded.config(), saved.config());
    let key = (1, Projection::Down);
    assert_eq!(difference(&loaded.weights()[&key].b, &saved.weights()[&key].b), 0.0);
    // Another alpha beside the same weights would be another model under the same hash.
    let path = folder.path().join(CONFIG_FILE);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"lora_alpha\": 16", "\"lora_alpha\": 32")).unwrap();
    assert!(matches!(load(), Err(LoraError::Config(_))));
    fs::remove_file(folder.path().join(WEIGHTS_FILE)).unwrap();
    fs::write(&path, text).unwrap();
    assert!(matches!(load(), Err(LoraError::Io { .. })));
}

#[test]
fn an_adapter_for_another_backbone_is_refused() {
    let backbone = tiny();
    let good = adapter(&backbone, 4, &[Projection::Q], 0.3);
    let mut shape = backbone.model.config().clone();
    shape.hidden = 128;
    let folder = tempfile::tempdir().unwrap();
    good.save(folder.path()).unwrap();
    assert!(matches!(LoraAdapter::load(folder.path(), &shape, Device::Cpu), Err(LoraError::Tensor { .. })));
    shape = backbone.model.config().clone();
    shape.layers = 1;
    assert!(matches!(LoraAdapter::load(folder.path(), &shape, Device::Cpu), Err(LoraError::Tensor { .. })));
    // Values that are not numbers.
    let mut weights = Weights::new();
    for layer in 0..2 {
        let a = Tensor::zeros([4, 64], (Kind::Float, Device::Cpu)) + f64::NAN;
        let b = Tensor::zeros([64, 4], (Kind::Float, Device::Cpu));
        weights.insert((layer, Projection::Q), LoraWeights { a, b });
    }
    let refused = LoraAdapter::new(config(4, &[Projection::Q]), &weights, backbone.model.config());
    assert!(matches!(refused, Err(LoraError::Tensor { .. })));
}

#[test]
fn the_registry_keeps_to_its_budget_and_never_drops_what_is_in_use() {
    let backbone = tiny();
    let one = || adapter(&backbone, 4, &[Projection::Q], 0.3);
    let bytes = one().bytes();
    let mut registry = AdapterRegistry::new(2 * bytes + bytes / 2);
    let (first, second, third) = (one(), one(), one());
    let hashes = [first.content_hash(), second.content_hash(), third.content_hash()];
    let first = registry.insert(first).unwrap();
    let second = registry.insert(second).unwrap();
    assert_eq!(registry.used(), 2 * bytes);
    // Both are in use: no room, and nothing was thrown out.
    assert!(matches!(registry.insert(third), Err(LoraError::OutOfBudget { .. })));
    assert_eq!(registry.len(), 2);
    // The second is free now: it leaves for another.
    drop(second);
    let third = registry.insert(one()).unwrap();
    assert!(registry.get(&hashes[0]).is_some() && registry.get(&hashes[1]).is_none());
    assert_eq!(registry.used(), 2 * bytes);
    // Forgotten but held: still counted until the lease ends.
    assert!(registry.remove(&hashes[0]));
    assert_eq!(registry.used(), 2 * bytes);
    assert_eq!(first.content_hash(), hashes[0]);
    drop(first);
    assert_eq!(registry.used(), bytes);
    drop(third);
    assert_eq!(registry.used(), bytes, "an idle adapter stays in memory");
}

#[test]
fn the_least_recently_used_leaves_first() {
    let backbone = tiny();
    let adapters: Vec<LoraAdapter> = (0..3).map(|_| adapter(&backbone, 4, &[Projection::Q], 0.3)).collect();
    let hashes: Vec<_> = adapters.iter().map(LoraAdapter::content_hash).collect();
    let mut registry = AdapterRegistry::new(2 * adapters[0].bytes());
    let mut adapters = adapters.into_iter();
    for adapter in adapters.by_ref().take(2) {
        drop(registry.insert(adapter).unwrap());
    }
    drop(registry.get(&hashes[0]));
    drop(registry.insert(adapters.next().unwrap()).unwrap());
    assert!(registry.get(&hashes[0]).is_some() && registry.get(&hashes[1]).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mutated_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let backbone = tiny();
        let folder = tempfile::tempdir().unwrap();
        adapter(&backbone, 2, &[Projection::K], 0.3).save(folder.path()).unwrap();
        let mut bytes = fs::read(folder.path().join(WEIGHTS_FILE)).unwrap();
        for (at, value) in changes {
            // The header is what parsing decides by.
            let at = at.index(600.min(bytes.len()));
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() * 2).min(bytes.len()));
        let _ = LoraAdapter::from_bytes(config(2, &[Projection::K]), &bytes, backbone.model.config(), Device::Cpu);
    }
}
