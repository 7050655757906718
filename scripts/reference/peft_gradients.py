#!/usr/bin/env python3
"""Records what Hugging Face PEFT makes of an adapter written by openledger-lora: logits, completion losses and LoRA
gradients, for crates/ai/influence/tests/peft.rs.

    pip install torch==2.11.0 transformers accelerate gguf peft
    OPENLEDGER_REFERENCE=/tmp/reference cargo test -p openledger-influence --test peft -- --ignored
    python scripts/reference/peft_gradients.py MODEL.gguf /tmp/reference > crates/ai/influence/tests/data/peft.json

Not part of `make test`: the recorded file is.
"""
import hashlib
import json
import os
import sys

import peft
import torch
import transformers

gguf_path, folder = sys.argv[1:]
sha256 = lambda path: hashlib.sha256(open(path, "rb").read()).hexdigest()
torch.set_num_threads(1)
directory, file = os.path.split(os.path.abspath(gguf_path))
base = transformers.AutoModelForCausalLM.from_pretrained(directory, gguf_file=file, dtype=torch.float32).eval()
model = peft.PeftModel.from_pretrained(base, folder, is_trainable=True).eval()
loras = {name.replace(".default", ""): p for name, p in model.named_parameters() if ".lora_" in name}

examples = []
for prompt, completion in json.load(open(os.path.join(folder, "tokens.json"))):
    ids = torch.tensor([prompt + completion])
    labels = torch.tensor([[-100] * len(prompt) + completion])
    model.zero_grad()
    answer = model(ids, labels=labels)
    answer.loss.backward()
    logits = []
    for position in (0, len(prompt) - 1, ids.shape[1] - 1):
        top = torch.topk(answer.logits[0, position], 5)
        logits += [[position, int(i), round(float(v), 5)] for v, i in zip(top.values, top.indices)]
    gradients = []
    for layer in (0, 14, 29):
        for module in ("self_attn.q_proj", "self_attn.v_proj", "mlp.gate_proj"):
            for side in "AB":
                name = f"base_model.model.model.layers.{layer}.{module}.lora_{side}.weight"
                gradient = loras[name].grad
                gradients.append([name, float(gradient.norm()), [float(v) for v in gradient.flatten()[:8]]])
    examples.append({"prompt": prompt, "completion": completion, "loss": float(answer.loss), "logits": logits, "gradients": gradients})

json.dump({
    "made_with": {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__},
    "backbone_sha256": sha256(gguf_path),
    "adapter_sha256": sha256(os.path.join(folder, "adapter_model.safetensors")),
    "examples": examples,
}, sys.stdout, separators=(",", ":"))
print()
