"""Writes folders as ColossalAI's booster.save_model(shard=True) does, without torch or ColossalAI.

The names of files and the form of the index follow colossalai/checkpoint_io/hybrid_parallel_checkpoint_io.py and
utils.py; the .bin files follow torch.save (protocol 2, zip, stored, data aligned to 64 bytes). Run it in its own
directory: python3 make_colossalai.py
"""

import json
import pathlib
import random
import shutil
import struct
import zipfile

HERE = pathlib.Path(__file__).parent


STORAGES = {"BF16": ("BFloat16Storage", 2), "F32": ("FloatStorage", 4)}


def op_global(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def op_text(text):
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def op_int(value):
    return b"J" + struct.pack("<i", value)


def op_tuple(*items):
    return b"(" + b"".join(items) + b"t"


def op_tensor(key, dtype, shape):
    count = 1
    for extent in shape:
        count *= extent
    strides, step = [], 1
    for extent in reversed(shape):
        strides.insert(0, step)
        step *= extent
    storage = op_tuple(
        op_text("storage"), op_global("torch", STORAGES[dtype][0]), op_text(str(key)), op_text("cpu"), op_int(count)
    )
    arguments = op_tuple(
        storage + b"Q",
        op_int(0),
        op_tuple(*[op_int(e) for e in shape]),
        op_tuple(*[op_int(s) for s in strides]),
        b"\x89",
        op_global("collections", "OrderedDict") + b")R",
    )
    return op_global("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def save(path, tensors):
    entries = b"".join(op_text(n) + op_tensor(i, t[0], t[1]) for i, (n, t) in enumerate(tensors.items()))
    pickled = b"\x80\x02" + op_global("collections", "OrderedDict") + b")R(" + entries + b"u."
    stem = path.name.rsplit(".", 1)[0]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        def add(name, data, align=False):
            info = zipfile.ZipInfo(f"{stem}/{name}", (2024, 1, 1, 0, 0, 0))
            if align:
                at = archive.fp.tell() + 30 + len(info.filename) + 4
                padding = -at % 64
                info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
            archive.writestr(info, data)

        add("data.pkl", pickled)
        add("byteorder", b"little")
        for i, (_, _, data) in enumerate(tensors.values()):
            add(f"data/{i}", data, align=True)
        add("version", b"3\n")


def model(seed):
    randomness = random.Random(seed)
    shapes = {"model.embed_tokens.weight": (12, 4)}
    for layer in range(2):
        for name, shape in {
            "self_attn.q_proj.weight": (4, 4),
            "self_attn.k_proj.weight": (2, 4),
            "self_attn.v_proj.weight": (2, 4),
            "self_attn.o_proj.weight": (4, 4),
            "mlp.gate_proj.weight": (6, 4),
            "mlp.up_proj.weight": (6, 4),
            "mlp.down_proj.weight": (4, 6),
            "input_layernorm.weight": (4,),
            "post_attention_layernorm.weight": (4,),
        }.items():
            shapes[f"model.layers.{layer}.{name}"] = shape
    shapes["model.norm.weight"] = (4,)
    shapes["lm_head.weight"] = (12, 4)
    tensors = {}
    for name, shape in shapes.items():
        count = 1
        for extent in shape:
            count *= extent
        tensors[name] = ("BF16", shape, randomness.randbytes(2 * count))
    return tensors


def safetensors(path, tensors):
    header, at = {}, 0
    for name, (dtype, shape, data) in sorted(tensors.items()):
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(t[2] for _, t in sorted(tensors.items())))


def write(case, shards, tensors):
    folder = HERE / case / "input"
    shutil.rmtree(HERE / case, ignore_errors=True)
    folder.mkdir(parents=True)
    weights = {}
    for file, names in shards.items():
        save(folder / file, {n: tensors[n] for n in names})
        weights.update({n: file for n in names})
    total = sum(len(t[2]) for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weights}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=2) + "\n")
    config = {
        "architectures": ["LlamaForCausalLM"], "dtype": "bfloat16", "hidden_size": 4, "intermediate_size": 6,
        "model_type": "llama", "num_attention_heads": 2, "num_hidden_layers": 2, "num_key_value_heads": 1,
        "tie_word_embeddings": False, "vocab_size": 12,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (HERE / case / "expected").mkdir()
    safetensors(HERE / case / "expected" / "model.safetensors", tensors)


def main():
    tensors = model(5)
    names = list(tensors)
    write("sharded", {"pytorch_model-00001.bin": names[:6], "pytorch_model-00002.bin": names[6:]}, tensors)
    tensors = model(6)
    write(
        "pipeline_2",
        {
            "pytorch_model-stage-00001-shard-00001.bin": names[:5],
            "pytorch_model-stage-00001-shard-00002.bin": names[5:10],
            "pytorch_model-stage-00002-shard-00001.bin": names[10:],
        },
        tensors,
    )


main()
