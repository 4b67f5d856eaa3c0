package dev.kintsugi.architecture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The families' data against what transformers itself has in memory and writes to disk.
class FamilyTest {
    @TempDir
    Path scratch;

    static Stream<Path> models() throws IOException {
        try (Stream<Path> list = Files.list(Golden.resource("architecture"))) {
            return list.filter(Files::isDirectory).sorted().toList().stream();
        }
    }

    private static SequencedMap<String, Shape> shapes(JsonNode node) {
        SequencedMap<String, Shape> shapes = new LinkedHashMap<>();
        node.forEachEntry((name, dims) -> {
            long[] extents = new long[dims.size()];
            Arrays.setAll(extents, i -> dims.get(i).asLong());
            shapes.put(name, Shape.of(extents));
        });
        return shapes;
    }

    private static Tensor unread(Shape shape) {
        TensorSpec spec = new TensorSpec(DType.BF16, shape);
        return new Tensor() {
            @Override
            public TensorSpec spec() {
                return spec;
            }

            @Override
            public void read(long firstElement, long elementCount, MemorySegment target) {
                throw new AssertionError("naming reads nothing");
            }
        };
    }

    @ParameterizedTest
    @MethodSource("models")
    void aModelInMemoryGetsTheNamesAndShapesThatSavePretrainedWrites(Path model) throws IOException {
        JsonNode names = JsonMapper.shared().readTree(Files.readString(model.resolve("names.json")));
        SequencedMap<String, Tensor> memory = new LinkedHashMap<>();
        shapes(names.get("in_memory")).forEach((name, shape) -> memory.put("_orig_mod." + name, unread(shape)));
        HubModel hub = HubModel.of(StateDict.of(memory), List.of(), Optional.of(model), HubOptions.defaults());
        TreeMap<String, Shape> written = new TreeMap<>();
        hub.tensors()
                .tensors()
                .forEach((name, tensor) -> written.put(name, tensor.spec().shape()));
        assertEquals(new TreeMap<>(shapes(names.get("on_disk"))), written);
    }

    @ParameterizedTest
    @MethodSource("models")
    void theFamilyKnowsEveryTensorOnDisk(Path model) throws IOException {
        JsonNode names = JsonMapper.shared().readTree(Files.readString(model.resolve("names.json")));
        HubModel hub = HubModel.of(StateDict.of(new TreeMap<>()), List.of(), Optional.of(model), HubOptions.defaults());
        assertTrue(hub.family().isPresent());
        assertEquals(
                new TreeMap<>(shapes(names.get("on_disk"))),
                new TreeMap<>(hub.expected().orElseThrow()));
    }

    /// A Megatron job writes the configuration of the policy it started from, and a head of one row without a bias.
    @Test
    void aValueHeadHasTheRowsItHasAndTheConfigurationSaysSo() throws IOException {
        Files.writeString(scratch.resolve("config.json"), """
            {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8, "vocab_size": 9,
             "num_attention_heads": 2, "num_hidden_layers": 0, "intermediate_size": 4}
            """);
        TreeMap<String, Tensor> tensors = new TreeMap<>();
        tensors.put("model.embed_tokens.weight", unread(Shape.of(9, 8)));
        tensors.put("model.norm.weight", unread(Shape.of(8)));
        tensors.put("score.weight", unread(Shape.of(1, 8)));
        HubOptions value = new HubOptions(
                HubOptions.Keys.CONFIG, HubOptions.Choice.AUTO, HubOptions.Lora.KEEP, OptionalDouble.empty(), true);
        HubModel hub = HubModel.of(StateDict.of(tensors), List.of(), Optional.of(scratch), value);
        assertEquals(
                Map.of(
                        "model.embed_tokens.weight", Shape.of(9, 8),
                        "model.norm.weight", Shape.of(8),
                        "score.weight", Shape.of(1, 8)),
                hub.expected().orElseThrow());
        assertEquals("{\n    \"0\": \"LABEL_0\"\n  }", hub.configEdits().get("id2label"));
        assertEquals("{\n    \"LABEL_0\": 0\n  }", hub.configEdits().get("label2id"));
        tensors.put("score.bias", unread(Shape.of(1)));
        hub = HubModel.of(StateDict.of(tensors), List.of(), Optional.of(scratch), value);
        assertEquals(Shape.of(1), hub.expected().orElseThrow().get("score.bias"));
    }
}
