package dev.kintsugi.export;

import dev.kintsugi.architecture.PythonJson;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// Divides tensors among files.
///
/// **Source.** `split_state_dict_into_shards_factory` of huggingface_hub 1.x: in the order of the state dict;
/// tensors that share memory stay together, where the first of them comes; what is above the limit gets a file
/// of its own, at once, ahead of the one being filled.
final class WeightFiles {
    private WeightFiles() {}

    /// `blocks` has a key for each tensor that shares memory with others.
    static List<SequencedMap<String, Tensor>> divide(StateDict tensors, Map<String, String> blocks, long maxBytes) {
        SequencedMap<String, SequencedMap<String, Tensor>> units = new LinkedHashMap<>();
        tensors.tensors()
                .forEach((name, tensor) -> units.computeIfAbsent(
                                blocks.getOrDefault(name, name), key -> new LinkedHashMap<>())
                        .put(name, tensor));
        List<SequencedMap<String, Tensor>> files = new ArrayList<>();
        SequencedMap<String, Tensor> current = new LinkedHashMap<>();
        long currentBytes = 0;
        for (SequencedMap<String, Tensor> unit : units.values()) {
            long bytes =
                    unit.values().stream().mapToLong(t -> t.spec().byteCount()).reduce(0, Math::addExact);
            if (bytes > maxBytes) {
                files.add(unit);
                continue;
            }
            if (currentBytes + bytes > maxBytes) {
                files.add(current);
                current = new LinkedHashMap<>();
                currentBytes = 0;
            }
            current.putAll(unit);
            currentBytes += bytes;
        }
        if (!current.isEmpty()) {
            files.add(current);
        }
        return files;
    }

    /// The text of the index.
    static String index(StateDict tensors, Map<String, String> fileOfTensor) {
        ObjectNode index = JsonMapper.shared().createObjectNode();
        ObjectNode metadata = index.putObject("metadata");
        metadata.put("total_parameters", tensors.elementCount());
        metadata.put("total_size", tensors.byteCount());
        ObjectNode map = index.putObject("weight_map");
        fileOfTensor.forEach(map::put);
        return PythonJson.dumps(index) + "\n";
    }
}
