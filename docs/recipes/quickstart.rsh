#!/usr/bin/env -S kintsugi run
# The main job: a sharded training checkpoint becomes a Hugging Face model.
#
#   scripts/kintsugi run docs/recipes/quickstart.rsh
#   scripts/kintsugi run docs/recipes/quickstart.rsh --set checkpoint=runs/step_120/actor --set out=out/actor-hf

param checkpoint = ${recipe_dir}/../sample/actor
param out = out/quickstart

# Open it: metadata only. Who holds what?
open $checkpoint --as actor
shards actor
placements actor layers.0.self_attn.**

# Prove it: names, shapes and ties against config.json, every value looked at.
validate actor --data

# Write it, whole or not at all; a second run takes the first one's place.
export actor $out --replace

# Open what was written, and compare it with the source bit for bit.
open $out --as written
assert equal actor written
