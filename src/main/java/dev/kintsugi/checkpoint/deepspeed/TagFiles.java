package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.TrainingStep;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The files of one tag, by what they hold and by data parallel rank.
///
/// @param wholeModel `mp_rank_00_model_states.pt`, which one rank writes for all
/// @param universal the `zero` directory of a universal checkpoint
/// @param ignored other entries of the directories
record TagFiles(
        List<Path> directories,
        Optional<Path> wholeModel,
        SortedMap<Integer, Path> model,
        SortedMap<Integer, Path> optimizer,
        Optional<Path> universal,
        List<String> ignored,
        List<Note> notes) {
    private static final Pattern WHOLE_MODEL = Pattern.compile("mp_rank_(\\d{1,7})_model_states\\.pt");
    private static final Pattern MODEL =
            Pattern.compile("(?:bf16_|fp16_)?zero_pp_rank_(\\d{1,7})_mp_rank_(\\d{1,7})_model_states\\.pt");
    private static final Pattern OPTIMIZER =
            Pattern.compile("(?:bf16_|fp16_)?zero_pp_rank_(\\d{1,7})_mp_rank_(\\d{1,7})_?optim_states\\.pt");
    private static final Pattern EXPERT = Pattern.compile("layer_.*expert_.*_(model|optim)_states\\.pt");
    private static final Pattern LAYER = Pattern.compile("layer_\\d+-model_.*\\.pt");
    private static final String LATEST = "latest";
    private static final String LATEST_UNIVERSAL = "latest_universal";

    /// Whether `path` is a tag's directory, a file of one, or a directory whose `latest` names one.
    static boolean recognises(Path path) {
        if (Files.isRegularFile(path)) {
            return isTagFile(path);
        }
        return isTag(path) || (pointer(path).isPresent() && !tags(path).isEmpty());
    }

    private static boolean isTagFile(Path path) {
        String name = String.valueOf(path.getFileName());
        return WHOLE_MODEL.matcher(name).matches()
                || MODEL.matcher(name).matches()
                || OPTIMIZER.matcher(name).matches();
    }

    private static boolean isTag(Path path) {
        if (!Files.isDirectory(path)) {
            return false;
        }
        try (Stream<Path> list = Files.list(path)) {
            return list.anyMatch(TagFiles::isTagFile);
        } catch (IOException e) {
            return false;
        }
    }

    private static List<Path> tags(Path path) {
        try (Stream<Path> list = Files.list(path)) {
            return list.filter(TagFiles::isTag).sorted().toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    private static Optional<Path> pointer(Path path) {
        return Stream.of(LATEST, LATEST_UNIVERSAL)
                .map(path::resolve)
                .filter(Files::isRegularFile)
                .findFirst();
    }

    /// Finds the tag in each of `paths`, of training step `step` where that is given, and lists it.
    ///
    /// **Errors.** [Fault] `K2001` where no tag is of `step`, `K3102` where `latest` names nothing, `K2002` for
    /// two saves in one place, `K4012` for what tensor, pipeline and expert parallel jobs write.
    static TagFiles scan(List<Path> paths, OptionalLong step) {
        TagFiles files = new TagFiles(
                new ArrayList<>(),
                Optional.empty(),
                new TreeMap<>(),
                new TreeMap<>(),
                Optional.empty(),
                new ArrayList<>(),
                new ArrayList<>());
        for (Path path : paths) {
            Path tag = files.tagOf(path, step);
            files.directories.add(tag);
            files = files.withEntriesOf(tag);
        }
        return files;
    }

    private Path tagOf(Path path, OptionalLong step) {
        if (Files.isRegularFile(path) || isTag(path)) {
            Path tag = Files.isRegularFile(path)
                    ? Optional.ofNullable(path.toAbsolutePath().getParent()).orElse(path)
                    : path;
            if (step.isPresent()
                    && !TrainingStep.of(tag.toAbsolutePath().normalize()).equals(step)) {
                throw new Fault(
                        Code.K1003,
                        tag + " is not the tag of step " + step.getAsLong(),
                        "it is the directory of one step already",
                        "leave --iteration out, or open the directory above");
            }
            return tag;
        }
        if (step.isPresent()) {
            return others(ofStep(path, step), tags(path));
        }
        Path pointer = pointer(path)
                .orElseThrow(() -> new Fault(
                        Code.K2001,
                        path + ": no files of DeepSpeed in it, and no latest",
                        "the directory holds no DeepSpeed checkpoint",
                        "give the directory of a tag, such as global_step100"));
        String name = readPointer(pointer);
        List<Path> tags = tags(path);
        Path tag = path.resolve(name);
        if (!tags.contains(tag)) {
            throw new Fault(
                    Code.K3102,
                    pointer + " names " + name + ", which is no tag in " + path,
                    "the save did not finish, or only a part was copied",
                    tags.isEmpty() ? "copy it again" : "open a tag that is there: open " + tags.getLast());
        }
        if (tags.size() > 1) {
            notes.add(Note.information(pointer.getFileName() + " names " + name + " of " + tags.size() + " tags"));
        }
        return others(tag, tags);
    }

    /// `tag`, the others of `tags` being named as left out.
    private Path others(Path tag, List<Path> tags) {
        tags.stream().filter(t -> !t.equals(tag)).forEach(t -> ignored.add(t.getFileName() + " (another tag)"));
        return tag;
    }

    /// The tag of training step `step`; one that was made universal is not meant where the original is there.
    private static Path ofStep(Path path, OptionalLong step) {
        List<Path> tags = tags(path);
        List<Path> named =
                tags.stream().filter(t -> TrainingStep.of(t).equals(step)).toList();
        List<Path> plain = named.stream()
                .filter(t -> !t.resolve("zero").toFile().isDirectory())
                .toList();
        List<Path> meant = plain.isEmpty() ? named : plain;
        if (meant.size() != 1) {
            throw new Fault(
                    meant.isEmpty() ? Code.K2001 : Code.K2002,
                    path + ": " + (meant.isEmpty() ? "no tag" : meant.size() + " tags") + " of step "
                            + step.getAsLong(),
                    "the directory holds "
                            + tags.stream()
                                    .map(t -> String.valueOf(t.getFileName()))
                                    .collect(Collectors.joining(", ")),
                    "open one of them: open " + tags.getLast());
        }
        return meant.getFirst();
    }

    private static String readPointer(Path pointer) {
        try {
            if (Files.isRegularFile(pointer) && Files.size(pointer) <= 4096) {
                String name = Files.readString(pointer).strip();
                Path plain = Path.of(name);
                if (!name.isEmpty() && plain.equals(plain.getFileName()) && !name.equals("..") && !name.equals(".")) {
                    return name;
                }
            }
        } catch (IOException | InvalidPathException e) {
            throw notAName(pointer, "the system says: " + e.getMessage());
        }
        throw notAName(pointer, "it may name a directory beside it only");
    }

    private static Fault notAName(Path pointer, String why) {
        return new Fault(
                Code.K3102,
                pointer + " does not name a tag",
                why,
                "open the directory of a tag, such as global_step100");
    }

    private TagFiles withEntriesOf(Path tag) {
        Optional<Path> whole = wholeModel;
        Optional<Path> zero = universal;
        for (Path entry : entries(tag)) {
            String name = String.valueOf(entry.getFileName());
            refuseModelParallel(entry, name);
            Matcher modelMatch = MODEL.matcher(name);
            Matcher optimizerMatch = OPTIMIZER.matcher(name);
            if (WHOLE_MODEL.matcher(name).matches()) {
                whole.ifPresent(other -> {
                    throw twice(other, entry);
                });
                whole = Optional.of(entry);
            } else if (modelMatch.matches()) {
                put(model, modelMatch, entry);
            } else if (optimizerMatch.matches()) {
                put(optimizer, optimizerMatch, entry);
            } else if (name.equals("zero") && Files.isDirectory(entry)) {
                zero = Optional.of(entry);
            } else {
                ignored.add(name);
            }
        }
        return new TagFiles(directories, whole, model, optimizer, zero, ignored, notes);
    }

    private static void put(SortedMap<Integer, Path> byRank, Matcher match, Path entry) {
        Path before = byRank.put(Integer.parseInt(match.group(1)), entry);
        if (before != null) {
            throw twice(before, entry);
        }
    }

    private static void refuseModelParallel(Path entry, String name) {
        if (EXPERT.matcher(name).matches()) {
            throw refused(entry, "experts lie in files of their own", "expert parallelism");
        }
        if (LAYER.matcher(name).matches()) {
            throw refused(entry, "the layers lie in files of their own", "pipeline parallelism");
        }
        Matcher whole = WHOLE_MODEL.matcher(name);
        if (whole.matches() && Integer.parseInt(whole.group(1)) > 0) {
            throw refused(entry, "each model parallel rank holds a slice of the weights", "tensor parallelism");
        }
        for (Pattern pattern : List.of(MODEL, OPTIMIZER)) {
            Matcher match = pattern.matcher(name);
            if (match.matches() && Integer.parseInt(match.group(2)) > 0) {
                throw refused(entry, "each model parallel rank holds a slice of the weights", "tensor parallelism");
            }
        }
    }

    private static Fault refused(Path entry, String why, String what) {
        return new Fault(
                Code.K4012,
                entry + ": a DeepSpeed checkpoint with " + what + " is not read",
                why + ", and how they go together is not in the files",
                "gather the model in the training job and save it with save_pretrained");
    }

    private static Fault twice(Path one, Path other) {
        return new Fault(
                Code.K2002,
                one + " and " + other + " are of the same rank",
                "the directories given overlap, or two saves share a directory",
                "open only one of them");
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
}
