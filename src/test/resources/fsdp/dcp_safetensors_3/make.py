"""Makes this folder with torch 2.13.0 and transformers 5.18.0: python make.py"""

import os
import shutil

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.checkpoint import HuggingFaceStorageWriter
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import Qwen2Config, Qwen2ForCausalLM

RANKS = 3


def model():
    config = Qwen2Config(
        vocab_size=41, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=False)
    made = Qwen2ForCausalLM(config).to(torch.bfloat16)
    generator = torch.Generator().manual_seed(31)
    with torch.no_grad():
        for _, parameter in sorted(made.named_parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return made


def save(rank):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29517")
    dist.init_process_group("gloo", rank=rank, world_size=RANKS)
    made = model()
    mesh = init_device_mesh("cpu", (RANKS,), mesh_dim_names=("fsdp",))
    for layer in made.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(made, mesh=mesh)
    mapping = {name: 1 + (".layers.1." in name) for name in made.state_dict()}
    writer = HuggingFaceStorageWriter("ckpt", fqn_to_index_mapping=mapping, save_distributed=True)
    dcp.save(made.state_dict(), storage_writer=writer)
    dist.destroy_process_group()


if __name__ == "__main__":
    shutil.rmtree("ckpt", ignore_errors=True)
    mp.spawn(save, nprocs=RANKS)
    model().save_pretrained("expected")
    os.makedirs("ckpt/huggingface", exist_ok=True)
    for name in ("config.json", "generation_config.json"):
        shutil.copy(f"expected/{name}", "ckpt/huggingface")
