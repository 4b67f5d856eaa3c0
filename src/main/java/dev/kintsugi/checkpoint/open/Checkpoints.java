package dev.kintsugi.checkpoint.open;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.CheckpointFormat;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.checkpoint.TrainingStep;
import dev.kintsugi.checkpoint.colossalai.ColossalAiFormat;
import dev.kintsugi.checkpoint.dcp.DcpFormat;
import dev.kintsugi.checkpoint.deepspeed.DeepSpeedFormat;
import dev.kintsugi.checkpoint.fsdp.FsdpFormat;
import dev.kintsugi.checkpoint.huggingface.HuggingFaceFormat;
import dev.kintsugi.checkpoint.megatron.MegatronFormat;
import dev.kintsugi.checkpoint.torchbin.TorchBinFormat;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.fault.Note;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Opens a checkpoint whatever wrote it: detection is by content and file names, never by folder names.
public final class Checkpoints {
    private static final int MAX_DEPTH = 4;

    /// The formats in the order in which they are asked; the first that recognises a path opens it.
    private static final List<CheckpointFormat> FORMATS = List.of(
            new FsdpFormat(),
            new MegatronFormat(),
            new DcpFormat(),
            new DeepSpeedFormat(),
            new ColossalAiFormat(),
            new HuggingFaceFormat(),
            new TorchBinFormat());

    private Checkpoints() {}

    /// The names of the formats, for `--format`.
    public static List<String> formatNames() {
        return FORMATS.stream().map(CheckpointFormat::name).toList();
    }

    /// Opens the checkpoint whose parts are at `paths`. A directory above the checkpoint is walked down.
    ///
    /// **Errors.** [Fault] `K1010` for no such path, `K2001` where nothing is found, `K2002` where several
    /// are, `K2004` where `options` are strict and a file breaks its format, and whatever the
    /// format's reader finds.
    public static Checkpoint open(List<Path> paths, OpenOptions options, Job job) {
        Located located = locate(paths, options);
        try {
            Remarks.forget(job);
            Checkpoint opened = job.doing(() -> located.format().open(located.paths(), options, job));
            opened = opened.noting(Remarks.notes(job)).noting(ForeignCode.notes(opened.sidecars()));
            if (options.strict()) {
                refuseBreaks(opened);
            }
            return opened;
        } catch (ArithmeticException e) {
            throw overflow(paths, e);
        }
    }

    private static void refuseBreaks(Checkpoint opened) {
        List<Note> breaks = opened.notes().stream().filter(Note::breaksFormat).toList();
        if (!breaks.isEmpty()) {
            opened.close();
            throw strictly(breaks);
        }
    }

    /// The refusal of `breaks`, of which there is one at least, where `--strict` was asked for.
    public static Fault strictly(List<Note> breaks) {
        int more = breaks.size() - 1;
        return new Fault(
                Code.K2004,
                breaks.getFirst().text() + (more > 0 ? " (and " + more + " more breaks of a format)" : ""),
                "the format does not have it, and --strict refuses what is only noted else",
                "write the file anew with the program it is from, or leave --strict out");
    }

    /// Readers compute sizes and places with exact arithmetic.
    private static Fault overflow(List<Path> paths, ArithmeticException e) {
        return new Fault(
                Code.K2204,
                paths.getFirst() + ": a size or an offset in its metadata is larger than any file",
                "the metadata is damaged",
                "copy the checkpoint again",
                e);
    }

    /// Opens the optimizer's state of the checkpoint that [#open] opens for the same arguments, if it holds
    /// one.
    ///
    /// **Errors.** As [#open].
    public static Optional<OptimizerCheckpoint> openOptimizer(List<Path> paths, OpenOptions options, Job job) {
        Located located = locate(paths, options);
        try {
            return located.format().openOptimizer(located.paths(), options, job);
        } catch (ArithmeticException e) {
            throw overflow(paths, e);
        }
    }

    private record Located(List<Path> paths, CheckpointFormat format) {}

    private static Located locate(List<Path> paths, OpenOptions options) {
        List<Path> located = new ArrayList<>();
        for (Path path : paths) {
            if (!Files.exists(path)) {
                throw noSuchPath(path);
            }
            located.add(locate(path, options));
        }
        CheckpointFormat format =
                recognise(located.getFirst(), options).orElseThrow(() -> nothingIn(located.getFirst()));
        for (Path path : located) {
            if (!format.recognises(path)) {
                throw new Fault(
                        Code.K2001,
                        path + ": no part of a checkpoint of format " + format.name(),
                        "all paths given are parts of one checkpoint",
                        "open them one by one");
            }
        }
        options.iteration().ifPresent(step -> located.forEach(path -> checkIs(step, path, format)));
        return new Located(located, format);
    }

    /// A format that does not choose among steps has but one at `path`: it must be the one that was asked for.
    private static void checkIs(long step, Path path, CheckpointFormat format) {
        Path absolute = path.toAbsolutePath().normalize();
        if (!format.choosesStep() && !TrainingStep.isNamedBy(absolute, absolute.getRoot(), step)) {
            throw new Fault(
                    Code.K1003,
                    path + " is not named by step " + step,
                    "a checkpoint of format " + format.name() + " is one step, and no directory above it says which",
                    "leave --iteration out, or open the directory of that step");
        }
    }

    /// Whether a checkpoint of the format named `format` lies at `path` or below it.
    public static boolean holds(Path path, String format) {
        OpenOptions options = new OpenOptions(Optional.of(format), Optional.empty(), Optional.empty(), false);
        if (recognise(path, options).isPresent()) {
            return true;
        }
        List<Path> found = new ArrayList<>();
        if (Files.isDirectory(path)) {
            walk(path, options, 1, found, new int[] {0});
        }
        return !found.isEmpty();
    }

    private static Fault noSuchPath(Path path) {
        Path parent = Optional.ofNullable(path.toAbsolutePath().getParent()).orElse(path);
        String there = Files.isDirectory(parent) ? "its directory holds " + some(parent) : parent + " does not exist";
        return new Fault(Code.K1010, path + ": no such file or directory", there, "check the path");
    }

    private static String some(Path directory) {
        try (Stream<Path> list = Files.list(directory)) {
            List<String> names = list.map(p -> String.valueOf(p.getFileName()))
                    .sorted()
                    .limit(7)
                    .collect(Collectors.toCollection(ArrayList::new));
            if (names.size() == 7) {
                names.set(6, "…");
            }
            return names.isEmpty() ? "nothing" : String.join(", ", names);
        } catch (IOException e) {
            return "nothing readable";
        }
    }

    private static Optional<CheckpointFormat> recognise(Path path, OpenOptions options) {
        if (options.format().isPresent()) {
            String wanted = options.format().get();
            CheckpointFormat format = FORMATS.stream()
                    .filter(f -> f.name().equals(wanted))
                    .findFirst()
                    .orElseThrow(() -> new Fault(
                            Code.K1003,
                            "no format is named " + wanted,
                            "formats are " + String.join(", ", formatNames()),
                            "leave --format out to have it detected"));
            return format.recognises(path) ? Optional.of(format) : Optional.empty();
        }
        return FORMATS.stream().filter(f -> f.recognises(path)).findFirst();
    }

    private static Path locate(Path path, OpenOptions options) {
        if (recognise(path, options).isPresent()) {
            return path;
        }
        Path parent = path.toAbsolutePath().getParent();
        if (Files.isRegularFile(path)) {
            if (parent != null && recognise(parent, options).isPresent()) {
                return parent;
            }
            throw nothingIn(path);
        }
        List<Path> found = new ArrayList<>();
        walk(path, options, 1, found, new int[] {0});
        if (found.isEmpty()) {
            throw nothingIn(path);
        }
        if (found.size() > 1 && options.iteration().isPresent()) {
            long step = options.iteration().getAsLong();
            List<Path> ofStep = found.stream()
                    .filter(p -> TrainingStep.isNamedBy(p, path, step))
                    .toList();
            if (ofStep.size() == 1) {
                return ofStep.getFirst();
            }
        }
        if (found.size() > 1) {
            throw new Fault(
                    Code.K2002,
                    path + " holds " + found.size() + " checkpoints",
                    found.stream().map(Path::toString).limit(12).collect(Collectors.joining(", ")),
                    "open one of them: open " + found.getFirst());
        }
        return found.getFirst();
    }

    private static void walk(Path directory, OpenOptions options, int depth, List<Path> found, int[] seen) {
        if (depth > MAX_DEPTH || !Files.isDirectory(directory)) {
            return;
        }
        seen[0]++;
        Limit.DIRECTORIES.check(
                seen[0], Code.K2001, () -> directory + ": directories looked through for a checkpoint: " + seen[0]);
        List<Path> children;
        try (Stream<Path> list = Files.list(directory)) {
            children = list.filter(p -> Files.isDirectory(p)
                            && !String.valueOf(p.getFileName()).startsWith("."))
                    .sorted()
                    .toList();
        } catch (IOException | UncheckedIOException e) {
            return;
        }
        for (Path child : children) {
            if (recognise(child, options).isPresent()) {
                found.add(child);
            } else {
                walk(child, options, depth + 1, found, seen);
            }
        }
    }

    private static Fault nothingIn(Path path) {
        if (Files.isDirectory(path)) {
            return new Fault(
                    Code.K2001,
                    path + ": no checkpoint in it or below",
                    "it holds " + some(path),
                    "give the directory that holds the rank files");
        }
        return new Fault(
                Code.K2001, path + ": not a checkpoint", "its name and first bytes fit no format", "check the path");
    }
}
