//! The forward pass on a tiny random model: the ways to run it agree with each other.

use openledger_backbone::{
    Backbone, BackboneError, Detokenizer, KvCache, LinearDelta, NoDelta, Projection, Sequence, testing::write_tiny_gguf,
};
use tch::{Device, Kind, TchError, Tensor};

fn tiny() -> Backbone {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Tiny.Q8_0.gguf");
    write_tiny_gguf(&path, 1).unwrap();
    Backbone::load(path, Device::Cpu).unwrap()
}

fn tokens(ids: &[u32]) -> Tensor {
    Tensor::from_slice(&ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>())
}

fn assert_close(a: &Tensor, b: &Tensor) {
    assert_eq!(a.size(), b.size());
    let difference = (a - b).abs().max().double_value(&[]);
    let scale = b.abs().max().double_value(&[]);
    assert!(scale > 0.1, "the model must say something: {scale}");
    assert!(difference < 2e-5 * scale, "largest difference {difference} on values up to {scale}");
}

#[test]
fn prefill_in_pieces_and_decoding_equal_one_pass() {
    let backbone = tiny();
    let ids: Vec<u32> = (0..90).map(|i| i * 37 % 256).collect();
    let whole = backbone.model.forward(&tokens(&ids).unsqueeze(0), &NoDelta).unwrap();
    let mut cache = KvCache::new(backbone.model.config(), Device::Cpu);
    // Past 64 and 128 tokens the cache grows.
    for (from, to) in [(0, 5), (5, 6), (6, 70), (70, 71), (71, 72), (72, 90)] {
        let sequence = Sequence { tokens: &ids[from..to], cache: &mut cache };
        let logits = backbone.model.step(&mut [sequence], &NoDelta).unwrap();
        assert_close(&logits, &whole.select(1, to as i64 - 1));
        assert_eq!(cache.len(), to);
    }
}

#[test]
fn a_ragged_batch_equals_its_sequences_one_by_one() {
    let backbone = tiny();
    let prompts: [Vec<u32>; 3] = [(1..9).collect(), vec![77], (100..165).collect()];
    let new = || KvCache::new(backbone.model.config(), Device::Cpu);
    let mut caches = [new(), new(), new()];
    for round in 0..3 {
        let next: Vec<Vec<u32>> =
            prompts.iter().map(|prompt| if round == 0 { prompt.clone() } else { vec![prompt[0] + round] }).collect();
        let mut batch: Vec<Sequence<'_>> =
            caches.iter_mut().zip(&next).map(|(cache, tokens)| Sequence { tokens, cache }).collect();
        let together = backbone.model.step(&mut batch, &NoDelta).unwrap();
        for (i, prompt) in prompts.iter().enumerate() {
            let mut all = prompt.clone();
            all.extend((1..=round).map(|r| prompt[0] + r));
            let alone = backbone.model.forward(&tokens(&all).unsqueeze(0), &NoDelta).unwrap();
            assert_close(&together.select(0, i as i64), &alone.select(1, -1).squeeze());
        }
    }
}

#[test]
fn padding_on_the_right_changes_nothing() {
    let backbone = tiny();
    let short = backbone.model.forward(&tokens(&[5, 6, 7]).unsqueeze(0), &NoDelta).unwrap();
    let batch = Tensor::stack(&[tokens(&[5, 6, 7, 0, 0]), tokens(&[9, 8, 7, 6, 5])], 0);
    let padded = backbone.model.forward(&batch, &NoDelta).unwrap();
    assert_close(&padded.select(0, 0).narrow(0, 0, 3), &short.squeeze_dim(0));
}

struct Bias(Tensor);

impl LinearDelta for Bias {
    fn apply(&self, layer: usize, projection: Projection, x: &Tensor, y: Tensor) -> Result<Tensor, TchError> {
        assert_eq!(x.size()[0], y.size()[0]);
        if layer == 1 && projection == Projection::Q { y.f_add(&self.0) } else { Ok(y) }
    }
}

#[test]
fn gradients_reach_the_delta_and_match_finite_differences() {
    let backbone = tiny();
    let ids = tokens(&[3, 1, 4, 1, 5, 9, 2, 6]).unsqueeze(0);
    let loss = |bias: &Tensor| {
        let logits = backbone.model.forward(&ids, &Bias(bias.shallow_clone())).unwrap();
        logits.log_softmax(-1, Kind::Double).select(2, 7).mean(Kind::Double)
    };
    let bias = Tensor::zeros([64], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    loss(&bias).backward();
    let gradient = Vec::<f32>::try_from(bias.grad()).unwrap();
    assert!(gradient.iter().any(|g| g.abs() > 1e-5));
    for i in [0, 17, 40, 63] {
        let at = |step: f64| {
            let moved = Tensor::zeros([64], (Kind::Float, Device::Cpu));
            let _ = moved.get(i).fill_(step);
            loss(&moved).double_value(&[])
        };
        let numeric = (at(1e-2) - at(-1e-2)) / 2e-2;
        assert!((numeric - f64::from(gradient[i as usize])).abs() < 2e-4, "{i}: {numeric} {}", gradient[i as usize]);
    }
    assert!(!backbone.model.weight(0, Projection::Q).requires_grad());
}

#[test]
fn wrong_input_is_an_error() {
    let backbone = tiny();
    let mut cache = KvCache::new(backbone.model.config(), Device::Cpu);
    let mut run = |ids: &[u32]| {
        backbone.model.step(&mut [Sequence { tokens: ids, cache: &mut cache }], &NoDelta).map(|_| ()).unwrap_err()
    };
    assert!(matches!(run(&[]), BackboneError::InvalidInput(_)));
    assert!(matches!(run(&[100_000]), BackboneError::InvalidInput(_)));
    assert!(matches!(run(&[1; 257]), BackboneError::ContextExceeded { tokens: 257, context: 256 }));
    assert!(matches!(backbone.model.forward(&tokens(&[1]), &NoDelta), Err(BackboneError::InvalidInput(_))));
    assert!(cache.is_empty());
}

#[test]
fn tokens_come_back_as_text_in_pieces() {
    let backbone = tiny();
    let tokenizer = &backbone.tokenizer;
    assert_eq!(backbone.name, "tiny");
    let text = "the thé 日本 the";
    let ids = tokenizer.encode(text, true).unwrap();
    assert_eq!(ids.first(), Some(&259), "'the' is one token");
    let mut detokenizer = Detokenizer::default();
    let pieces: Vec<String> = ids.iter().map(|&id| detokenizer.push(tokenizer, id)).collect();
    assert_eq!(pieces.concat() + &detokenizer.finish(), text);
    assert!(pieces.iter().any(String::is_empty), "a character of several tokens is held back");
    // Half a character at the end and a wrong byte in between.
    let broken: Vec<u32> = [0xe6, 0x97, 0x41, 0xff, 0x42, 0xe6].to_vec();
    let streamed: String = broken.iter().map(|&id| detokenizer.push(tokenizer, id)).collect();
    assert_eq!(streamed + &detokenizer.finish(), "\u{fffd}A\u{fffd}B\u{fffd}");
    assert_eq!(tokenizer.decode(&broken), "\u{fffd}A\u{fffd}B\u{fffd}");
    // Control tokens: recognised on demand, never shown.
    assert_eq!(tokenizer.encode("a<|im_end|>", true).unwrap().last(), Some(&257));
    assert_ne!(tokenizer.encode("a<|im_end|>", false).unwrap().last(), Some(&257));
    assert_eq!(tokenizer.decode(&[97, 257, 98, 9999]), "ab");
}
