#!/usr/bin/env python3
"""Records what an independent implementation makes of the backbone, for crates/ai/backbone/tests/reference.rs.

Logits: Hugging Face transformers on torch (float32), which reads the same GGUF and has its own dequantisation, rotary
embedding and attention. Token ids: the `tokenizers` library with the pre-tokenizer published for SmolLM2 (digits one by one, then
GPT-2's pattern), vocabulary and merges from the GGUF. Chat template: Jinja2, as transformers renders it.

    pip install torch==2.11.0 transformers accelerate gguf jinja2
    python scripts/reference/logits.py MODEL.gguf > crates/ai/backbone/tests/data/smollm2-135m-instruct.json

Not part of `make test`: the recorded file is.
"""
import hashlib
import json
import os
import sys

import gguf
import jinja2
import jinja2.sandbox
import tokenizers
import torch
import transformers

path = sys.argv[1]
reader = gguf.GGUFReader(path)
field = lambda name: reader.fields[name].contents()

tokens, merges = field("tokenizer.ggml.tokens"), field("tokenizer.ggml.merges")
kinds = field("tokenizer.ggml.token_type")
vocabulary = {token: i for i, token in enumerate(tokens)}
tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [tuple(m.split(" ")) for m in merges]))
tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
    tokenizers.pre_tokenizers.Digits(individual_digits=True),
    tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
])
tokenizer.decoder = tokenizers.decoders.ByteLevel()
tokenizer.add_special_tokens([token for token, kind in zip(tokens, kinds) if kind == 3])

environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
template = environment.from_string(field("tokenizer.chat_template"))

texts = [
    "The capital of France is",
    "  leading  spaces\n\n\tand tabs \r\n end  ",
    "It's 2024: we've paid 1,234.56 € — they'd say ½ of Ⅷ!",
    "naïve façade, Ελληνικά, Русский, 日本語, हिन्दी, العربية",
    "emoji 👩‍👩‍👧‍👦 and 🇪🇸 and e\u0301",
    "def f(x):\n    return x**2  # square\n",
    "<|im_start|>user\nhi<|im_end|>\n<|not_special|>",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa     bbbb\u00a0\u2003c\x00\x7f",
    "",
]
conversations = [
    [{"role": "user", "content": "What is a party wall?"}],
    [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "Hi\nthere"},
     {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Who pays?"}],
]
prompts = [
    "The capital of France is",
    "<|im_start|>user\nWhat is a party wall?<|im_end|>\n<|im_start|>assistant\n",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return ",
]

torch.set_num_threads(2)
folder, file = os.path.split(os.path.abspath(path))
model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32).eval()
indices = list(range(0, len(tokens), 4001))
logits = []
with torch.no_grad():
    for prompt in prompts:
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        answer = model(torch.tensor([ids])).logits[0]
        rows = []
        for position in sorted({0, len(ids) // 2, len(ids) - 1}):
            top = torch.topk(answer[position], 8)
            rows.append({
                "position": position,
                "top": [[int(i), round(float(v), 5)] for v, i in zip(top.values, top.indices)],
                "at": [[i, round(float(answer[position][i]), 5)] for i in indices],
            })
        greedy = model.generate(torch.tensor([ids]), max_new_tokens=16, do_sample=False, pad_token_id=2)
        logits.append({"prompt": prompt, "ids": ids, "rows": rows, "greedy": greedy[0][len(ids):].tolist()})

json.dump({
    "made_with": {"torch": torch.__version__, "transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
                  "jinja2": jinja2.__version__},
    "sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(),
    "tokenizer": [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in texts],
    "chat": [{"messages": messages, "prompt": template.render(messages=messages, add_generation_prompt=True)}
             for messages in conversations],
    "logits": logits,
}, sys.stdout, ensure_ascii=True, separators=(",", ":"))
print()
