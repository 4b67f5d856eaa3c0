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
/// a tensor above the limit gets a file of its own, at once, ahead of the one being filled.
final class WeightFiles {
    private WeightFiles() {}

    static List<SequencedMap<String, Tensor>> divide(StateDict tensors, long maxBytes) {
        List<SequencedMap<String, Tensor>> files = new ArrayList<>();
        SequencedMap<String, Tensor> current = new LinkedHashMap<>();
        long currentBytes = 0;
        for (Map.Entry<String, Tensor> entry : tensors.tensors().entrySet()) {
            long bytes = entry.getValue().spec().byteCount();
            if (bytes > maxBytes) {
                SequencedMap<String, Tensor> alone = new LinkedHashMap<>();
                alone.put(entry.getKey(), entry.getValue());
                files.add(alone);
                continue;
            }
            if (currentBytes + bytes > maxBytes) {
                files.add(current);
                current = new LinkedHashMap<>();
                currentBytes = 0;
            }
            current.put(entry.getKey(), entry.getValue());
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
