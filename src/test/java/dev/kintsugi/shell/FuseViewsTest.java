package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/// What `fuse`, `explain`, `methods` and `suggest` print.
class FuseViewsTest {
    @Test
    void aFusionSaysItsFormulaAndWhetherWeightsAreNormalised() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            assertEquals("""
                blend  fusion · 30 tensors, 35.5 k parameters, F32, 142 kB · LlamaForCausalLM · complete
                  formula   0.2727·e1 + 0.7273·e2 (normalised; weights summed to 1.1)
                  weights   e1 0.3, e2 0.8; they sum to 1.1 and are normalised
                  tensors   30 computed
                """, shell.type("fuse linear e1 e2 --weights 0.3,0.8 --as blend"));
            assertTrue(shell.type("fuse task-arithmetic e1 e2 --base base --as sum")
                    .contains("  weights   e1 1, e2 1; they sum to 2 and are not normalised\n"));
            assertTrue(shell.type("fuse ties e1 e2 --base base --weights 1,0.2..0.8 --as voted")
                    .contains("e2 0.2..0.8; they sum to 1.2..1.8 and are normalised in each element"));
        }
    }

    @Test
    void explainingAFusionTellsPartsParentsAndCost() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("fuse ties e1 e2 --base base --density 0.5 --layers '**.mlp.**' --as blend");
            assertEquals("""
                blend  fusion · 30 tensors, 35.5 k parameters, F32, 142 kB · LlamaForCausalLM · complete
                  made by   fuse ties e1 e2 --as blend --base base --density 0.5 --layers **.mlp.**
                  method    ties: b + λ·Σ w·d over the kept d whose sign wins
                  weights   e1 1, e2 1; they sum to 2 and are normalised in each element over the models that agree
                  made of   e1, weight 1: safetensors, 30 tensors
                  made of   e2, weight 1: safetensors, 30 tensors
                  made of   base, the base: safetensors, 30 tensors
                  cost      reads 557 kB for 142 kB of results, 1 sweep over the models before the first result
                what      tensors    bytes    reads  earlier sweeps  first tensor                         formula
                copied         21  59.1 kB  59.1 kB               0  lm_head.weight                       from e1
                computed        9  82.9 kB   498 kB               1  model.layers.0.mlp.down_proj.weight  base + elect(1·prune_0.5(e1 − base) + 1·prune_0.5(e2 − base)) / Σ weights that agree [ties]
                """, shell.type("explain blend"));
            JsonNode json = shell.json("explain blend");
            assertEquals("kintsugi.explain-fusion/1", json.get("schema").asString());
            assertEquals(556_800, json.get("bytes_to_read").asLong());
            assertEquals(9, json.get("computed").asLong());
            assertEquals("ties", json.get("method").asString());
        }
    }

    @Test
    void attentionShowsWhoIsListenedToWhere() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            shell.type("fuse attention e1 e2 e3 --base base --as blend");
            assertEquals("""
                model.layers.0.self_attn.k_proj.weight  F32 [8, 64]
                  formula   attention(0.3333·e1 + 0.3333·e2 + 0.3333·e3) per key/value head, T = 1, speciality 1, floor 0.000001, changes from base scaled over model
                  made of   e1 F32 [8, 64]
                  made of   e2 F32 [8, 64]
                  made of   e3 F32 [8, 64]
                  made of   base F32 [8, 64]
                  cost      reads 16.4 kB, 1 earlier sweep
                  attention ▃▃  e1
                  attention ▃▃  e2
                  attention ▄▃  e3
                            one mark a key/value head, mean e1 0.3033, e2 0.3245, e3 0.3723
                key/value head  e1      e2      e3      coherence  entropy
                             0  0.2993  0.2813  0.4194  0.3212     1.082
                             1  0.3072  0.3676  0.3252  0.331      1.096
                """, shell.type("explain blend layers.0.self_attn.k_proj.weight"));
            JsonNode json = shell.json("explain blend layers.0.mlp.up_proj.weight");
            assertEquals(36, json.get("attention").size());
            JsonNode first = json.get("attention").get(0);
            double sum = first.get("e1").asDouble()
                    + first.get("e2").asDouble()
                    + first.get("e3").asDouble();
            assertEquals(1, sum, 1e-12);
        }
    }

    @Test
    void aPreviewStandsBesideItsParentsAndDefinesNothing() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            assertEquals("""
                model.norm.weight  F32 [64]
                  formula   slerp(base, e1, t = 0.3)
                model   dtype   norm  cosine  distance  first elements
                e1      F32    8.069       1   0.06179  0.8831, 1.002, 0.8674, 0.9205
                base    F32    8.062       1   0.02648  0.8801, 1.011, 0.8584, 0.9113
                result  F32    8.064       1         0  0.881, 1.008, 0.8611, 0.9141
                cosine with and distance from the last line, the result; nothing was defined
                """, shell.type("fuse slerp e1 --base base --t 0.3 --preview norm.weight"));
            assertEquals(4, shell.shell().session().models().size());
            shell.type("fuse slerp e1 --base base --t 0.3 --as blend");
            String again = shell.type("fuse --preview model.norm.weight --as blend");
            assertTrue(again.contains("blend  F32    8.064"), again);
            JsonNode json = shell.json("fuse --preview model.norm.weight --as blend");
            assertEquals("kintsugi.fuse-preview/1", json.get("schema").asString());
            assertEquals(8.0644, json.get("tensors").get(2).get("norm").doubleValue(), 1e-3);
            assertEquals(4, json.get("tensors").get(2).get("first").size());
        }
    }

    @Test
    void everyMethodIsListedAndExplained() {
        try (FuseShell shell = new FuseShell()) {
            JsonNode methods = shell.json("methods").get("methods");
            assertEquals(23, methods.size());
            methods.forEach(m -> {
                JsonNode one = shell.json("methods " + m.get("method").asString());
                assertEquals(m.get("formula"), one.get("formula"));
            });
            assertTrue(shell.type("methods ties").contains("--density"));
            assertTrue(shell.type("help fuse").startsWith("    fuse weighted-average"));
        }
    }

    @Test
    void methodsComplete() {
        try (FuseShell shell = new FuseShell()) {
            List<String> found = shell.shell().session().completions().of(List.of("fuse", "dare_")).stream()
                    .map(Completions.Proposal::value)
                    .toList();
            assertEquals(List.of("dare-linear", "dare-ties"), found);
        }
    }

    @Test
    void aSuggestionHasReasonsAndALineThatWorks() {
        try (FuseShell shell = FuseShell.of("llama-fp32")) {
            String said = shell.type("suggest e1 e2 e3 --base base");
            assertTrue(said.contains("because one model changed 2.3 times as much as another"), said);
            String line =
                    said.lines().filter(l -> l.startsWith("try:")).findFirst().orElseThrow();
            assertEquals(4, shell.shell().session().models().size());
            shell.type(line.substring(4).strip());
            JsonNode json = shell.json("suggest e1 e2 e3 --base base");
            assertEquals(
                    "fuse attention e1 e2 e3 --base base --as blend",
                    json.get("command").asString());
            JsonNode all = json.get("groups").get(json.get("groups").size() - 1);
            assertEquals(35_520, all.get("elements").asLong());
            assertEquals(0.7, all.get("sparsity").get(1).asDouble(), 0.02);
            assertEquals(3, all.get("cosines").size());
            double mean = 0;
            for (JsonNode cosine : all.get("cosines")) {
                mean += cosine.asDouble() / 3;
            }
            assertEquals(mean, all.get("cosine").asDouble(), 1e-12);
            for (String group : List.of("layer 0 MLP", "layer 1 attention", "layer 2 norms")) {
                assertTrue(json.get("groups").findValuesAsString("group").contains(group), group);
            }
            assertTrue(shell.type("suggest e1 e2").contains("give it with --base"));
        }
    }

    @Test
    void unrelatedModelsAreNotProposedToBeFused() {
        try (FuseShell shell = new FuseShell()) {
            shell.type("open " + FuseShell.RUNS.resolve("fsdp1_4/expected") + " --as one");
            shell.type("open " + FuseShell.RUNS.resolve("fsdp_tp_2x2/expected") + " --as two");
            String said = shell.type("suggest one two");
            assertTrue(said.contains("as unrelated ones do") && said.endsWith("no method is proposed\n"), said);
        }
    }
}
