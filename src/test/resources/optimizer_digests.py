"""Writes optimizer.json beside checkpoints: what a plain reader finds in their optimizer files.

One entry a tensor: "NAME.STATE": [dtype, shape, SHA-256 of its bytes]. It needs neither torch nor DeepSpeed: files of
torch.save are zip archives with a pickle. The layout rules are those of DeepSpeed's
zero_to_fp32.py (stage 1 and 2: partitions end to end; stage 3: ceil(n / ranks) elements a rank) and of DTensor with
one Shard placement. Run it in its own directory: python3 optimizer_digests.py
"""

import collections
import hashlib
import json
import math
import pathlib
import pickle
import re
import zipfile

HERE = pathlib.Path(__file__).parent
WIDTHS = {"BF16": 2, "F16": 2, "F32": 4, "I32": 4, "I64": 8}
DTYPES = {
    "BFloat16Storage": "BF16",
    "HalfStorage": "F16",
    "FloatStorage": "F32",
    "IntStorage": "I32",
    "LongStorage": "I64",
}


class Tensor:
    def __init__(self, dtype, shape, data):
        self.dtype, self.shape, self.data = dtype, list(shape), data


class Opaque:
    def __init__(self, *arguments):
        self.arguments, self.state = arguments, None

    def __setstate__(self, state):
        self.state = state


class Distributed:
    def __init__(self, shape):
        self.shape = list(shape)


class Reader(pickle.Unpickler):
    def __init__(self, archive, prefix):
        super().__init__(archive.open(prefix + "data.pkl"))
        self.archive, self.prefix = archive, prefix

    def find_class(self, module, name):
        special = {
            "OrderedDict": collections.OrderedDict,
            "Size": lambda dims=(): tuple(dims),
            "set": set,
            "_rebuild_tensor_v2": self.tensor,
            "_rebuild_from_type_v2": self.from_type,
            "_rebuild_wrapper_subclass": lambda kind, dtype, size, *rest: Distributed(size),
        }
        return special.get(name) or type(name, (Opaque,), {})

    def persistent_load(self, key):
        return DTYPES[key[1].__name__], self.archive.read(f"{self.prefix}data/{key[2]}")

    @staticmethod
    def tensor(storage, offset, size, stride, *rest):
        dtype, data = storage
        width = WIDTHS[dtype]
        at = [offset]
        for extent, step in zip(size, stride):
            at = [a + i * step for a in at for i in range(extent)]
        return Tensor(dtype, size, b"".join(data[a * width : (a + 1) * width] for a in at))

    @staticmethod
    def from_type(function, kind, arguments, state):
        made = function(*arguments)
        if isinstance(made, Distributed):
            fields = next(part for part in state if part)
            made.local = fields["_local_tensor"]
        return made


def load(path):
    archive = zipfile.ZipFile(path)
    name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
    return Reader(archive, name[: -len("data.pkl")]).load()


def by_rank(tag, pattern):
    found = {}
    for path in tag.iterdir():
        match = re.fullmatch(pattern, path.name)
        if match:
            found[int(match.group(1))] = load(path)
    return [found[rank] for rank in sorted(found)]


def deepspeed(tag):
    """Yields name, dtype, shape and bytes of every state."""
    optimizers = by_rank(tag, r"(?:bf16_)?zero_pp_rank_(\d+)_mp_rank_00_optim_states\.pt")
    models = by_rank(tag, r"zero_pp_rank_(\d+)_mp_rank_00_model_states\.pt")
    model = models[0] if models else load(tag / "mp_rank_00_model_states.pt")
    if not optimizers:
        yield from stage0(model)
        return
    states = [o["optimizer_state_dict"] for o in optimizers]
    world = len(states)
    split = "fp32_flat_groups" in states[0]
    masters = [s["fp32_flat_groups" if split else "single_partition_of_fp32_groups"] for s in states]
    bases = [s["optimizer_state_dict" if split else "base_optimizer_state"]["state"] for s in states]
    steps = {i: entry["step"] for i, entry in bases[0].items()}
    for state in ("fp32", "exp_avg", "exp_avg_sq"):
        flats = []
        for master, base in zip(masters, bases):
            flats.append([master[i].data if state == "fp32" else base[i][state].data for i in range(len(master))])
        if split:
            joined = [b"".join(parts) for parts in flats]
            at = 0
            for group in model["param_shapes"]:
                for name, shape in group.items():
                    per = -(-math.prod(shape) // world) * 4
                    data = b"".join(rank[at : at + per] for rank in joined)[: math.prod(shape) * 4]
                    at += per
                    yield f"{name}.{state}", "F32", list(shape), data
        else:
            for number, group in enumerate(model["param_shapes"]):
                flat = b"".join(rank[number] for rank in flats)
                at = 0
                for name, shape in group.items():
                    count = math.prod(shape) * 4
                    yield f"{name}.{state}", "F32", list(shape), flat[at : at + count]
                    at += count
    one = next(iter(steps.values()))
    assert all(s.data == one.data for s in steps.values())
    for group in model["param_shapes"]:
        for name in group:
            yield f"{name}.step", one.dtype, [], one.data


def stage0(model):
    saved = model["optimizer"]
    base = saved.get("optimizer_state_dict", saved)
    masters = saved.get("fp32_groups", [[]])[0]
    for index, name in enumerate(model["module"]):
        for state, tensor in base["state"][index].items():
            yield f"{name}.{state}", tensor.dtype, tensor.shape, tensor.data
        if masters:
            yield f"{name}.fp32", masters[index].dtype, masters[index].shape, masters[index].data


def joined(parts, shape):
    """The pieces of one Shard(dim) placement; dim is the one along which the local shapes add up."""
    dims = [d for d in range(len(shape)) if sum(p.shape[d] for p in parts) == shape[d] and len(parts) > 1]
    dim = next(d for d in dims if all(p.shape[e] == shape[e] for p in parts for e in range(len(shape)) if e != d))
    if dim == 0:
        return b"".join(p.data for p in parts)
    outer = math.prod(shape[:dim])
    cuts = [[p.data[i * len(p.data) // outer : (i + 1) * len(p.data) // outer] for i in range(outer)] for p in parts]
    return b"".join(b"".join(c[i] for c in cuts) for i in range(outer))


def fsdp(folder):
    optimizers = by_rank(folder, r"optim_world_size_\d+_rank_(\d+)\.pt")
    names = list(load(next(folder.glob("model_world_size_*_rank_0.pt"))))
    for index, entry in optimizers[0]["state"].items():
        for state, value in entry.items():
            name = f"{names[index]}.{state}"
            if isinstance(value, Distributed):
                parts = [o["state"][index][state].local for o in optimizers]
                yield name, value.local.dtype, value.shape, joined(parts, value.shape)
            else:
                yield name, value.dtype, value.shape, value.data


def write(path, entries):
    digests = {name: [dtype, shape, hashlib.sha256(data).hexdigest()] for name, dtype, shape, data in entries}
    path.write_text(json.dumps(dict(sorted(digests.items())), indent=0) + "\n")
    print(path.relative_to(HERE), len(digests))


def main():
    for case in sorted((HERE / "deepspeed").iterdir()):
        tag = case / "input" / (case / "input" / "latest").read_text()
        write(case / "optimizer.json", deepspeed(tag))
    write(HERE / "fsdp" / "fsdp2_4" / "optimizer.json", fsdp(HERE / "fsdp" / "fsdp2_4" / "ckpt"))


main()
