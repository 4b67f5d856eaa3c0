package dev.kintsugi.checkpoint;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ForeignJson;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// A `*.index.json`: which file of its directory holds which tensor.
///
/// **Errors.** [Fault] `K2304` where it is damaged, names a path, or disagrees with the files; `K3001` where
/// a file it names is missing.
public record WeightIndex(Path path, SequencedMap<String, String> fileOfTensor) {
    public static WeightIndex read(Path path) {
        try {
            JsonNode weights = document(path).path("weight_map");
            SequencedMap<String, String> map = new LinkedHashMap<>();
            weights.forEachEntry((name, file) -> map.put(name, plainName(path, name, file)));
            if (map.isEmpty()) {
                throw new Fault(
                        Code.K2304, path + ": no weight_map", "the file is no index", "copy the directory again");
            }
            return new WeightIndex(path, map);
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003, path + ": cannot be read", "the system says: " + e.getMessage(), "check the path", e);
        } catch (JacksonException e) {
            throw new Fault(
                    Code.K2304,
                    path + ": no JSON: " + e.getOriginalMessage(),
                    "the file was cut short",
                    "copy it again",
                    e);
        }
    }

    private static JsonNode document(Path path) throws IOException {
        Limit.INDEX_BYTES.checkSize(path, Code.K2304);
        try (InputStream stream = Files.newInputStream(path)) {
            return ForeignJson.strictTree(stream);
        }
    }

    private static String plainName(Path index, String tensor, JsonNode file) {
        String name = file.isString() ? file.asString() : "";
        boolean plain = !name.isEmpty()
                && !name.equals(".")
                && !name.equals("..")
                && name.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ');
        if (!plain) {
            throw new Fault(
                    Code.K2304,
                    index + ": " + tensor + " lies in " + file,
                    "an index may name plain file names of its own directory only",
                    "do not trust this directory");
        }
        return name;
    }

    /// The files it names, each present.
    public List<Path> files() {
        return new TreeSet<>(fileOfTensor.values()).stream().map(this::require).toList();
    }

    private Path require(String name) {
        Path file = path.resolveSibling(name);
        if (!Files.isRegularFile(file)) {
            throw new Fault(
                    Code.K3001,
                    file + " is missing, though " + path.getFileName() + " names it",
                    "it was not copied or not downloaded",
                    "copy it beside the index");
        }
        return file;
    }

    /// Checks that each file holds exactly the tensors that the index puts there.
    public void check(Map<Path, ? extends Set<String>> held) {
        for (Map.Entry<Path, ? extends Set<String>> file : held.entrySet()) {
            String fileName = String.valueOf(file.getKey().getFileName());
            for (String tensor : file.getValue()) {
                if (!fileName.equals(fileOfTensor.get(tensor))) {
                    throw disagrees(fileName + " holds " + tensor + ", which the index puts in "
                            + fileOfTensor.getOrDefault(tensor, "no file"));
                }
            }
        }
        fileOfTensor.forEach((tensor, fileName) -> {
            Set<String> there = held.get(path.resolveSibling(fileName));
            if (there == null || !there.contains(tensor)) {
                throw disagrees(tensor + " is not in " + fileName);
            }
        });
    }

    private Fault disagrees(String what) {
        return new Fault(
                Code.K2304,
                path + ": " + what,
                "the index is of another save than the files",
                "copy the directory again");
    }
}
