"""Writes model.safetensors: all patterns of the FNUZ dtypes with the values torch gives them, and what torch rounds to them.

Run with torch 2.13 and safetensors 0.8: python make.py
"""

import torch
from safetensors.torch import save_file

torch.manual_seed(7)
tensors = {}
for short in ("e4m3fnuz", "e5m2fnuz"):
    dtype = getattr(torch, "float8_" + short)
    patterns = torch.arange(256, dtype=torch.uint8).view(dtype)
    values = patterns.to(torch.float32)
    finite = values[~values.isnan()].sort().values
    ties = (finite[1:] + finite[:-1]) / 2
    top = finite[-1]
    step = finite[-1] - finite[-2]
    beyond = torch.tensor([float("inf"), float("nan"), 1e30, 1e-30, 0.0])
    beyond = torch.cat([beyond, torch.stack([top + step / 2, (top + step / 2).nextafter(torch.tensor(0.0)), top + step])])
    near = torch.cat([ties.nextafter(torch.tensor(float("inf"))), ties.nextafter(torch.tensor(float("-inf")))])
    source = torch.cat([finite, ties, near, beyond, -beyond, torch.randn(256) * top / 2])
    tensors[short] = patterns
    tensors[short + ".values"] = values
    tensors[short + ".source"] = source
    tensors[short + ".rounded"] = source.to(dtype)
save_file(tensors, "model.safetensors", metadata={"format": "pt"})
