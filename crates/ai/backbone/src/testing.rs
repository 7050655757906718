//! Small random models as GGUF files, for tests: every part of the real thing, in a few kilobytes.

use std::{io, path::Path};

use half::f16;

use crate::{Projection, gguf::GgmlType};

/// The chat template of the tiny model: each message between `<|im_start|>` and `<|im_end|>`.
pub const CHAT_TEMPLATE: &str = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

const LAYERS: u32 = 2;
const HIDDEN: u64 = 64;
const FEED_FORWARD: u64 = 96;
const HEADS: u64 = 4;
const KV_HEADS: u64 = 2;
const HEAD_DIM: u64 = HIDDEN / HEADS;
const CONTEXT: u32 = 256;
const ALIGNMENT: usize = 32;

/// Writes a random Llama (2 blocks, width 64, 4 heads on 2 key heads, context 256) with a byte vocabulary of 261 tokens.
pub fn write_tiny_gguf(path: impl AsRef<Path>, seed: u64) -> io::Result<()> {
    std::fs::write(path, tiny_gguf(seed))
}

/// The bytes of [`write_tiny_gguf`]'s file. Its weights use every supported tensor format.
pub fn tiny_gguf(seed: u64) -> Vec<u8> {
    let mut writer = GgufWriter::default();
    writer.string("general.architecture", "llama");
    for (key, value) in [
        ("llama.block_count", LAYERS),
        ("llama.context_length", CONTEXT),
        ("llama.embedding_length", HIDDEN as u32),
        ("llama.feed_forward_length", FEED_FORWARD as u32),
        ("llama.attention.head_count", HEADS as u32),
        ("llama.attention.head_count_kv", KV_HEADS as u32),
        ("llama.rope.dimension_count", HEAD_DIM as u32),
        ("tokenizer.ggml.bos_token_id", 256),
        ("tokenizer.ggml.eos_token_id", 257),
    ] {
        writer.u32(key, value);
    }
    writer.f32("llama.rope.freq_base", 10_000.0);
    writer.f32("llama.attention.layer_norm_rms_epsilon", 1e-5);
    writer.string("tokenizer.ggml.model", "gpt2");
    writer.string("tokenizer.ggml.pre", "smollm");
    writer.string("tokenizer.chat_template", CHAT_TEMPLATE);
    let mut tokens: Vec<String> = (0..=u8::MAX).map(crate::tokenizer::byte_text).collect();
    tokens.extend(["<|im_start|>", "<|im_end|>", "th", "the", "Ġthe"].map(str::to_owned));
    let vocabulary = tokens.len() as u64;
    let kinds: Vec<i32> = (0..tokens.len()).map(|id| if id == 256 || id == 257 { 3 } else { 1 }).collect();
    writer.strings("tokenizer.ggml.tokens", &tokens);
    writer.i32s("tokenizer.ggml.token_type", &kinds);
    writer.strings("tokenizer.ggml.merges", &["t h", "th e", "Ġ the"].map(str::to_owned));

    let mut random = Random(seed);
    let mut tensor = |name: &str, rows: u64, columns: u64, kind, scale| {
        writer.tensor(name, rows, columns, kind, &mut random, scale);
    };
    tensor("token_embd.weight", vocabulary, HIDDEN, GgmlType::Q8_0, 1.0);
    tensor("output_norm.weight", 1, HIDDEN, GgmlType::F32, 1.0);
    for layer in 0..LAYERS {
        for (name, kind) in [("attn_norm", GgmlType::F32), ("ffn_norm", GgmlType::F32)] {
            tensor(&format!("blk.{layer}.{name}.weight"), 1, HIDDEN, kind, 1.0);
        }
        for (projection, rows, columns, kind) in [
            (Projection::Q, HIDDEN, HIDDEN, GgmlType::Q4_0),
            (Projection::K, KV_HEADS * HEAD_DIM, HIDDEN, GgmlType::Q4_1),
            (Projection::V, KV_HEADS * HEAD_DIM, HIDDEN, GgmlType::Q8_0),
            (Projection::O, HIDDEN, HIDDEN, GgmlType::F16),
            (Projection::Gate, FEED_FORWARD, HIDDEN, GgmlType::F32),
            (Projection::Up, FEED_FORWARD, HIDDEN, GgmlType::Q4_0),
            (Projection::Down, HIDDEN, FEED_FORWARD, GgmlType::Q4_1),
        ] {
            tensor(&format!("blk.{layer}.{}.weight", projection.tensor()), rows, columns, kind, 0.3);
        }
    }
    writer.finish()
}

#[derive(Default)]
struct GgufWriter {
    metadata: Vec<u8>,
    metadata_count: u64,
    table: Vec<u8>,
    tensor_count: u64,
    data: Vec<u8>,
}

impl GgufWriter {
    fn key(&mut self, key: &str, kind: u32) {
        self.metadata_count += 1;
        put_string(&mut self.metadata, key);
        self.metadata.extend(kind.to_le_bytes());
    }

    fn string(&mut self, key: &str, value: &str) {
        self.key(key, 8);
        put_string(&mut self.metadata, value);
    }

    fn u32(&mut self, key: &str, value: u32) {
        self.key(key, 4);
        self.metadata.extend(value.to_le_bytes());
    }

    fn f32(&mut self, key: &str, value: f32) {
        self.key(key, 6);
        self.metadata.extend(value.to_le_bytes());
    }

    fn strings(&mut self, key: &str, values: &[String]) {
        self.key(key, 9);
        self.metadata.extend(8u32.to_le_bytes());
        self.metadata.extend((values.len() as u64).to_le_bytes());
        values.iter().for_each(|value| put_string(&mut self.metadata, value));
    }

    fn i32s(&mut self, key: &str, values: &[i32]) {
        self.key(key, 9);
        self.metadata.extend(5u32.to_le_bytes());
        self.metadata.extend((values.len() as u64).to_le_bytes());
        values.iter().for_each(|value| self.metadata.extend(value.to_le_bytes()));
    }

    /// A vector (`rows` = 1) or matrix of random blocks whose values are of the order of `scale`.
    fn tensor(&mut self, name: &str, rows: u64, columns: u64, kind: GgmlType, random: &mut Random, scale: f32) {
        self.tensor_count += 1;
        put_string(&mut self.table, name);
        let shape = if rows == 1 { vec![columns] } else { vec![columns, rows] };
        self.table.extend((shape.len() as u32).to_le_bytes());
        shape.iter().for_each(|size| self.table.extend(size.to_le_bytes()));
        let code: u32 = match kind {
            GgmlType::F32 => 0,
            GgmlType::F16 => 1,
            GgmlType::Q4_0 => 2,
            GgmlType::Q4_1 => 3,
            GgmlType::Q8_0 => 8,
        };
        self.table.extend(code.to_le_bytes());
        self.data.resize(self.data.len().next_multiple_of(ALIGNMENT), 0);
        self.table.extend((self.data.len() as u64).to_le_bytes());
        let half = |value: f32| f16::from_f32(value).to_le_bytes();
        for _ in 0..rows * columns / kind.block().0 {
            match kind {
                GgmlType::F32 => self.data.extend((random.signed() * scale).to_le_bytes()),
                GgmlType::F16 => self.data.extend(half(random.signed() * scale)),
                GgmlType::Q4_0 => self.data.extend(half(scale / 8.0)),
                GgmlType::Q4_1 => self.data.extend([half(scale / 8.0), half(-scale)].concat()),
                GgmlType::Q8_0 => self.data.extend(half(scale / 128.0)),
            }
            let quants = match kind {
                GgmlType::F32 | GgmlType::F16 => 0,
                GgmlType::Q4_0 | GgmlType::Q4_1 => 16,
                GgmlType::Q8_0 => 32,
            };
            self.data.extend((0..quants).map(|_| random.next() as u8));
        }
    }

    fn finish(self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend(self.tensor_count.to_le_bytes());
        file.extend(self.metadata_count.to_le_bytes());
        file.extend(self.metadata);
        file.extend(self.table);
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file.extend(self.data);
        file
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// A linear congruential generator, good enough for weights that mean nothing.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = self.0 ^ (self.0 >> 12);
        (x ^ (x << 25)) >> 27
    }

    fn signed(&mut self) -> f32 {
        (self.next() & 0xffff) as f32 / 32_768.0 - 1.0
    }
}
