"""Saves fixtures' models again in several files, and keeps the index and the checksums of what save_pretrained wrote.

Run with torch 2.13 and transformers 5.18: python make.py
"""
import hashlib, pathlib, tempfile
import torch, transformers as T

here = pathlib.Path(__file__).parent
fsdp = here.parent / "fsdp"
cases = {
    "fsdp2_4": (T.Qwen2ForCausalLM, "20KB"),
    "tied_2": (T.Qwen2ForCausalLM, "30KB"),
    "moe_2": (T.Qwen3MoeForCausalLM, "10KB"),
    "vlm_2": (T.Qwen2_5_VLForConditionalGeneration, "50KB"),
}
for name, (cls, size) in cases.items():
    loaded = cls.from_pretrained(fsdp / name / "expected", dtype="auto")
    # A model that was not loaded is what a training job saves: loading alone changes the order of the files.
    model = cls(loaded.config).to(loaded.dtype)
    model.load_state_dict(loaded.state_dict())
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(tmp, max_shard_size=size)
        folder = here / name
        folder.mkdir(exist_ok=True)
        sums = []
        for path in sorted(pathlib.Path(tmp).glob("model*")):
            sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
        (folder / "max-shard-size.txt").write_text(size + "\n")
        (folder / "sha256.txt").write_text("".join(sums))
        index = pathlib.Path(tmp, "model.safetensors.index.json")
        (folder / index.name).write_text(index.read_text())
        print(name, len(sums))
