"""Writes optimizer.json beside Megatron checkpoints: what torch reads of their optimizer states.

One entry a tensor: "NAME.STATE": [dtype, shape, SHA-256 of its bytes], under the names of Hugging Face. torch reads
every byte (torch.load; torch.distributed.checkpoint.load for torch_dist) and cuts and joins the tensors; classes of
Megatron stand as empty stubs. The names and the order of parameters are those of a Llama model without grouped
attention, which both cases are: order of numbers is the order of the state dict. Run it with a torch:
python3 megatron_optimizer_digests.py
"""

import hashlib
import json
import pathlib
import pickle
import re
import sys
import types

import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import metadata as dcp_metadata

HERE = pathlib.Path(__file__).parent / "megatron"
DTYPES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32", torch.int64: "I64"}


class Stub:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __setstate__(self, state):
        self.state = state


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if name == "MCoreMetadata":
            return dcp_metadata.Metadata
        if module.startswith(("megatron", "signal")):
            return type(name, (Stub,), {})
        return super().find_class(module, name)


lenient = types.ModuleType("lenient")
lenient.__dict__.update(pickle.__dict__)
lenient.Unpickler = Unpickler
lenient.load = lambda file, **options: Unpickler(file, **options).load()


def load(path):
    return torch.load(path, map_location="cpu", weights_only=False, pickle_module=lenient)


def named(name, tensor, heads):
    """The tensors of Hugging Face that one tensor of Megatron-Core is; a scalar belongs to each of them."""
    layer = re.fullmatch(r"decoder\.layers\.(\d+)\.(.+)", name)
    if not layer:
        other = {
            "embedding.word_embeddings.weight": "model.embed_tokens.weight",
            "decoder.final_layernorm.weight": "model.norm.weight",
            "output_layer.weight": "lm_head.weight",
        }
        yield other[name], tensor
        return
    prefix, rest = f"model.layers.{layer[1]}.", layer[2]
    if rest == "self_attention.linear_qkv.weight":
        if tensor.ndim:
            groups = tensor.reshape(heads, 3, -1, tensor.shape[-1])
            parts = [groups[:, i].reshape(-1, tensor.shape[-1]) for i in range(3)]
        for i, part in enumerate("qkv"):
            yield f"{prefix}self_attn.{part}_proj.weight", parts[i] if tensor.ndim else tensor
    elif rest == "mlp.linear_fc1.weight":
        halves = tensor.chunk(2) if tensor.ndim else (tensor, tensor)
        yield prefix + "mlp.gate_proj.weight", halves[0]
        yield prefix + "mlp.up_proj.weight", halves[1]
    else:
        other = {
            "input_layernorm.weight": "input_layernorm.weight",
            "self_attention.linear_qkv.layer_norm_weight": "input_layernorm.weight",
            "self_attention.linear_proj.weight": "self_attn.o_proj.weight",
            "pre_mlp_layernorm.weight": "post_attention_layernorm.weight",
            "mlp.linear_fc1.layer_norm_weight": "post_attention_layernorm.weight",
            "mlp.linear_fc2.weight": "mlp.down_proj.weight",
        }
        yield prefix + other[rest], tensor


def legacy(step, heads):
    ranks = [load(folder / "model_optim_rng.pt") for folder in sorted(step.iterdir())]
    names = [n for n in ranks[0]["model"] if not n.endswith("_extra_state")]
    inner = [rank["optimizer"]["optimizer"] for rank in ranks]
    for index, name in enumerate(names):
        held = [dict(i["state"][index]) for i in inner]
        for rank, states in zip(ranks, held):
            states["fp32"] = rank["optimizer"]["fp32_from_fp16_params"][0][index]
            assert torch.equal(states["fp32"].to(torch.bfloat16), rank["model"][name]), name
        for state in held[0]:
            parts = [h[state] for h in held]
            if parts[0].ndim < 2:
                assert all(torch.equal(p, parts[0]) for p in parts)
                whole = parts[0]
            elif name.endswith("linear_fc1.weight"):
                whole = torch.cat([p.chunk(2)[i] for i in range(2) for p in parts])
            else:
                whole = torch.cat(parts, 1 if name.endswith(("linear_proj.weight", "linear_fc2.weight")) else 0)
            for target, tensor in named(name, whole, heads):
                yield f"{target}.{state}", tensor


def dist(step, heads):
    with open(step / ".metadata", "rb") as file:
        sizes = {
            key: entry
            for key, entry in Unpickler(file).load().state_dict_metadata.items()
            if key.startswith("optimizer.state.")
        }

    class Reader(dcp.FileSystemReader):
        def read_metadata(self):
            with open(step / ".metadata", "rb") as file:
                return Unpickler(file).load()

    tensors = {key: torch.empty(e.size, dtype=e.properties.dtype) for key, e in sizes.items()}
    dcp.load(tensors, storage_reader=Reader(step), no_dist=True)
    common = load(step / "common.pt")["optimizer"]["optimizer"]["state"]["common_step"]
    for key, tensor in tensors.items():
        state, name = re.fullmatch(r"optimizer\.state\.(\w+)\.(.+)", key).groups()
        state = "fp32" if state == "fp32_param" else state
        layers = (
            [(name.replace("layers.", f"layers.{i}.", 1), one) for i, one in enumerate(tensor)]
            if name.startswith("decoder.layers.")
            else [(name, tensor)]
        )
        for global_name, one in layers:
            for target, part in named(global_name, one, heads):
                yield f"{target}.{state}", part
                yield f"{target}.step", common


def entry(tensor):
    plain = tensor.detach().contiguous()
    data = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
    return [DTYPES[plain.dtype], list(plain.shape), hashlib.sha256(data).hexdigest()]


def main():
    for case in sorted(HERE.iterdir()):
        if not case.is_dir() or not json.loads((case / "case.json").read_text())["optimizer"]:
            continue
        config = json.loads((case / "expected" / "config.json").read_text())
        heads = config["num_attention_heads"]
        assert config["model_type"] == "llama" and config["num_key_value_heads"] == heads
        steps = sorted((case / "input").glob("iter_*"))
        states = legacy(steps[-1], heads) if steps else dist(case / "input" / "dist_ckpt", heads)
        digests = {name: entry(tensor) for name, tensor in states}
        (case / "optimizer.json").write_text(json.dumps(dict(sorted(digests.items())), indent=0) + "\n")
        print(case.name, len(digests), "torch", torch.__version__, file=sys.stderr)


main()
