package dev.kintsugi.checkpoint.fsdp;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ForeignJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// The rank files of one or more directories, by rank.
///
/// @param worldSize what the file names say
/// @param fsdpVersion what `fsdp_config.json` says, if it is there
/// @param ignored other entries of the directories
record RankFiles(
        int worldSize,
        SortedMap<Integer, Path> byRank,
        Optional<Integer> fsdpVersion,
        boolean configFound,
        List<String> ignored) {
    private static final Pattern NAME = Pattern.compile("model_world_size_(\\d{1,7})_rank_(\\d{1,7})\\.pt");
    private static final Pattern OPTIMIZER = Pattern.compile("optim_world_size_(\\d{1,7})_rank_(\\d{1,7})\\.pt");
    /// What is read elsewhere: sidecars, and facts about an adapter.
    private static final Set<String> COMPANIONS = Set.of("huggingface", "lora_adapter", "lora_train_meta.json");
    private static final String CONFIG = "fsdp_config.json";

    /// Whether `name` is a rank's model file.
    static boolean isRankFile(String name) {
        return NAME.matcher(name).matches();
    }

    /// Lists `directories`.
    ///
    /// **Errors.** [Fault] `K2002` for two world sizes or one rank twice, `K3006` where the config disagrees.
    static RankFiles scan(List<Path> directories) {
        SortedMap<Integer, SortedMap<Integer, Path>> found = new TreeMap<>();
        List<String> ignored = new ArrayList<>();
        Optional<JsonNode> config = Optional.empty();
        for (Path directory : directories) {
            for (Path entry : entries(directory)) {
                String name = String.valueOf(entry.getFileName());
                Matcher matcher = NAME.matcher(name);
                if (matcher.matches()) {
                    int rank = Integer.parseInt(matcher.group(2));
                    Path before = found.computeIfAbsent(Integer.parseInt(matcher.group(1)), w -> new TreeMap<>())
                            .put(rank, entry);
                    if (before != null) {
                        throw twice(rank, before, entry);
                    }
                } else if (name.equals(CONFIG)) {
                    config = Optional.of(readConfig(entry));
                } else if (!COMPANIONS.contains(name)) {
                    ignored.add(name);
                }
            }
        }
        if (found.isEmpty()) {
            throw new Fault(
                    Code.K2001,
                    directories + ": no file is named model_world_size_W_rank_R.pt",
                    "the directory holds no FSDP checkpoint",
                    "open another directory");
        }
        if (found.size() > 1) {
            throw new Fault(
                    Code.K2002,
                    directories.stream().map(Path::toString).collect(Collectors.joining(", "))
                            + ": rank files of world sizes "
                            + found.keySet().stream().map(String::valueOf).collect(Collectors.joining(" and ")),
                    "two jobs of different size saved into one directory",
                    "move the files of one of them into a directory of their own");
        }
        int worldSize = found.firstKey();
        Limit.RANKS.check(
                worldSize, Code.K3006, () -> found.firstEntry().getValue() + ": a world size of " + worldSize);
        SortedMap<Integer, Path> byRank = found.firstEntry().getValue();
        checkWorldSize(worldSize, byRank, config);
        Optional<Integer> version =
                config.map(c -> c.path("FSDP_version")).filter(JsonNode::isInt).map(JsonNode::asInt);
        return new RankFiles(worldSize, byRank, version, config.isPresent(), ignored);
    }

    /// The optimizer's files in `directories`, by rank, of a job of `worldSize` ranks.
    static SortedMap<Integer, Path> optimizers(List<Path> directories, int worldSize) {
        SortedMap<Integer, Path> found = new TreeMap<>();
        for (Path directory : directories) {
            for (Path entry : entries(directory)) {
                Matcher matcher = OPTIMIZER.matcher(String.valueOf(entry.getFileName()));
                if (matcher.matches() && Integer.parseInt(matcher.group(1)) == worldSize) {
                    int rank = Integer.parseInt(matcher.group(2));
                    Path before = found.put(rank, entry);
                    if (before != null) {
                        throw twice(rank, before, entry);
                    }
                }
            }
        }
        return found;
    }

    private static void checkWorldSize(int worldSize, SortedMap<Integer, Path> byRank, Optional<JsonNode> config) {
        if (byRank.lastKey() >= worldSize) {
            throw new Fault(
                    Code.K3006,
                    byRank.get(byRank.lastKey()) + ": rank " + byRank.lastKey() + " of " + worldSize + " ranks",
                    "the file was renamed",
                    "give it the name it was saved under");
        }
        Optional<Integer> configured =
                config.map(c -> c.path("world_size")).filter(JsonNode::isInt).map(JsonNode::asInt);
        if (configured.isPresent() && configured.get() != worldSize) {
            throw new Fault(
                    Code.K3006,
                    CONFIG + " says world size " + configured.get() + ", the file names say " + worldSize,
                    "files of two jobs are mixed",
                    "remove " + CONFIG + " if the rank files are right: the world size is then taken from their names");
        }
    }

    private static Fault twice(int rank, Path one, Path other) {
        return new Fault(
                Code.K2002,
                "rank " + rank + " is there twice: " + one + " and " + other,
                "the directories given overlap",
                "open only one of them");
    }

    private static JsonNode readConfig(Path path) {
        try {
            Limit.JSON_BYTES.checkSize(path, Code.K2305);
            return ForeignJson.tree(Files.readAllBytes(path));
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003, path + ": cannot be read", "the system says: " + e.getMessage(), "check the path", e);
        } catch (JacksonException e) {
            throw ForeignJson.fault(
                    Code.K2305,
                    path.toString(),
                    e,
                    "the job died while it saved",
                    "remove the file: the world size is then taken from the names of the rank files");
        }
    }

    private static List<Path> entries(Path directory) {
        try (Stream<Path> list = Files.list(directory)) {
            return list.sorted().toList();
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    directory + ": cannot be listed",
                    "the system says: " + e.getMessage(),
                    "check the path and its permissions",
                    e);
        }
    }

    /// The ranks without a file.
    SortedSet<Integer> missing() {
        SortedSet<Integer> missing = new TreeSet<>();
        for (int rank = 0; rank < worldSize; rank++) {
            if (!byRank.containsKey(rank)) {
                missing.add(rank);
            }
        }
        return missing;
    }
}
