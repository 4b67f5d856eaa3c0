package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.ForeignJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/// What files beside a checkpoint say of its adapter: `lora_train_meta.json`,
/// `lora_adapter/adapter_config.json`, `adapter_config.json`.
public final class AdapterFacts {
    private final Map<Path, JsonNode> files;

    private AdapterFacts(Map<Path, JsonNode> files) {
        this.files = files;
    }

    /// Looks in `directories` and in the directory above each.
    public static AdapterFacts find(List<Path> directories) {
        Map<Path, JsonNode> files = new LinkedHashMap<>();
        List<Path> places = new ArrayList<>(directories);
        directories.forEach(d ->
                Optional.ofNullable(d.toAbsolutePath().normalize().getParent()).ifPresent(places::add));
        for (Path place : places) {
            for (String name :
                    List.of("lora_train_meta.json", "lora_adapter/adapter_config.json", "adapter_config.json")) {
                Path file = place.resolve(name);
                boolean above = !directories.contains(place);
                if (Files.isRegularFile(file) && (!above || name.equals("lora_train_meta.json"))) {
                    files.put(file, ForeignJson.tree(Config.read(file).text()));
                }
            }
        }
        return new AdapterFacts(files);
    }

    /// The configuration peft wrote, if there is one.
    public Optional<JsonNode> peftConfig() {
        return files.entrySet().stream()
                .filter(e -> e.getKey().endsWith("adapter_config.json"))
                .map(Map.Entry::getValue)
                .findFirst();
    }

    /// What that configuration does to modules; without one, nothing.
    PeftRules rules() {
        return new PeftRules(peftConfig().orElse(MissingNode.getInstance()));
    }

    public Optional<String> taskType() {
        return files.values().stream()
                .map(f -> f.path("task_type"))
                .filter(JsonNode::isString)
                .map(JsonNode::asString)
                .findFirst();
    }

    /// What the files say of alpha.
    ///
    /// **Errors.** [Fault] `K4006` where none does, two differ, or it is 0, which switches the adapter off.
    double alpha() {
        Map<Path, Double> said = new LinkedHashMap<>();
        files.forEach((path, json) -> {
            if (json.path("lora_alpha").isNumber()) {
                said.put(path, json.path("lora_alpha").asDouble());
            }
        });
        if (said.isEmpty()) {
            throw new Fault(
                    Code.K4006,
                    "the adapter's lora_alpha is in no file",
                    "neither lora_train_meta.json nor adapter_config.json lies beside the checkpoint; a wrong alpha"
                            + " scales the adapter wrongly without a word",
                    "give it with --lora-alpha N");
        }
        if (said.values().stream().distinct().count() > 1) {
            throw new Fault(
                    Code.K4006,
                    "files disagree about the adapter's lora_alpha: " + said,
                    "they are of different runs",
                    "give the true one with --lora-alpha N");
        }
        double alpha = said.values().iterator().next();
        if (!(alpha > 0)) {
            throw new Fault(
                    Code.K4006,
                    said.keySet().iterator().next().getFileName() + ": lora_alpha is "
                            + (alpha == Math.rint(alpha) ? String.valueOf((long) alpha) : String.valueOf(alpha))
                            + ", so the adapter would change nothing",
                    "whoever wrote the file did not know alpha; versions of verl wrote 0",
                    "give the alpha the adapter was trained with: --lora-alpha N");
        }
        return alpha;
    }
}
