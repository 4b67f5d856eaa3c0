package dev.kintsugi.checkpoint;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fault.Note;
import dev.kintsugi.io.ForeignJson;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;

/// A `*.index.json`: which file of its directory holds which tensor.
///
/// **Errors.** [Fault] `K2304` where it is damaged, names a path, or disagrees with the files; `K3001` where
/// a file it names is missing.
///
/// @param totalSize how many bytes it says all tensors have
public record WeightIndex(Path path, SequencedMap<String, String> fileOfTensor, OptionalLong totalSize) {
    /// Reads the index that is `path`, entry by entry.
    public static WeightIndex read(Path path) {
        try {
            Limit.INDEX_BYTES.checkSize(path, Code.K2304);
            try (InputStream stream = Files.newInputStream(path);
                    JsonParser parser = ForeignJson.factory().build().createParser(ObjectReadContext.empty(), stream)) {
                return new Reading(path, parser).index();
            }
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003, path + ": cannot be read", "the system says: " + e.getMessage(), "check the path", e);
        } catch (JacksonException e) {
            throw ForeignJson.fault(
                    Code.K2304, path.toString(), e, "the file was cut short, or is something else", "copy it again");
        }
    }

    /// One pass over the JSON.
    private static final class Reading {
        private final Path path;
        private final JsonParser parser;
        private final SequencedMap<String, String> files = new LinkedHashMap<>();
        private final Map<String, String> fileNames = new HashMap<>();
        private final Set<String> members = new HashSet<>();
        private OptionalLong totalSize = OptionalLong.empty();

        Reading(Path path, JsonParser parser) {
            this.path = path;
            this.parser = parser;
        }

        WeightIndex index() {
            if (parser.nextToken() == JsonToken.START_OBJECT) {
                while (parser.nextToken() != JsonToken.END_OBJECT) {
                    member(parser.currentName(), parser.nextToken());
                }
                if (parser.nextToken() != null) {
                    throw damaged("there is more text after the document");
                }
            }
            if (files.isEmpty()) {
                throw new Fault(
                        Code.K2304, path + ": no weight_map", "the file is no index", "copy the directory again");
            }
            return new WeightIndex(path, files, totalSize);
        }

        private void member(String name, JsonToken value) {
            boolean known = name.equals("weight_map") || name.equals("metadata");
            if (known && !members.add(name)) {
                throw damaged(name + " is there twice");
            }
            if (!known || value != JsonToken.START_OBJECT) {
                parser.skipChildren();
            } else if (name.equals("metadata")) {
                metadata();
            } else {
                weightMap();
            }
        }

        private void weightMap() {
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String tensor = parser.currentName();
                boolean text = parser.nextToken() == JsonToken.VALUE_STRING;
                String file = parser.getString();
                if (!text || !isPlain(file)) {
                    throw new Fault(
                            Code.K2304,
                            path + ": " + tensor + " lies in " + (text ? '"' + file + '"' : file),
                            "an index may name plain file names of its own directory only",
                            "do not trust this directory");
                }
                if (files.put(tensor, fileNames.computeIfAbsent(file, f -> f)) != null) {
                    throw damaged(tensor + " is there twice");
                }
                if ((files.size() & 0xffff) == 0) {
                    Job.checkCurrent();
                }
                Limit.TENSORS.check(files.size(), Code.K2304, () -> path + ": it lists more tensors than allowed");
            }
        }

        private void metadata() {
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                if (name.equals("total_size")
                        && value == JsonToken.VALUE_NUMBER_INT
                        && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER) {
                    totalSize = OptionalLong.of(parser.getLongValue());
                } else {
                    parser.skipChildren();
                }
            }
        }

        private static boolean isPlain(String name) {
            return !name.isEmpty()
                    && !name.equals(".")
                    && !name.equals("..")
                    && name.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ');
        }

        private Fault damaged(String what) {
            return new Fault(
                    Code.K2304,
                    path + ": " + what,
                    "the file is damaged, or was put together from parts",
                    "copy the directory again");
        }
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

    /// A note where it says that the tensors have other than `bytes` bytes together, which nothing depends on.
    public Optional<Note> sizeNote(long bytes) {
        if (totalSize.isEmpty() || totalSize.getAsLong() == bytes) {
            return Optional.empty();
        }
        return Optional.of(Note.information(String.format(
                Locale.ROOT,
                "%s says that the tensors have %,d bytes, they have %,d",
                path.getFileName(),
                totalSize.getAsLong(),
                bytes)));
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
