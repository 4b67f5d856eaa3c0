package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/// The directory of one saved step, found from what a person points at.
///
/// | points at | step |
/// |---|---|
/// | `--save` of Megatron-LM | what `latest_checkpointed_iteration.txt` names: `iter_NNNNNNN` or `release` |
/// | `iter_NNNNNNN`, `release`, `dist_ckpt` | itself |
/// | verl's `actor` | its `dist_ckpt` |
///
/// @param given what the person pointed at
/// @param step where the files are
/// @param chosen why that step, where there was a choice
record StepDirectory(Path given, Path step, Layout layout, Optional<String> chosen) {
    private static final String LATEST = "latest_checkpointed_iteration.txt";
    private static final String METADATA = "metadata.json";
    private static final Pattern STEP = Pattern.compile("iter_\\d{7,}|release");
    private static final int MAX_TRACKER_BYTES = 256;

    /// How the step is laid out.
    enum Layout {
        TORCH_DIST,
        LEGACY
    }

    /// Whether `path` is one of these directories, by names and `metadata.json` only.
    static boolean recognises(Path path) {
        return Files.isDirectory(path)
                && (isStep(path)
                        || isDist(path.resolve("dist_ckpt"))
                        || (Files.isRegularFile(path.resolve(LATEST))
                                && !steps(path).isEmpty())
                        || steps(path).stream().anyMatch(s -> isStep(path.resolve(s))));
    }

    private static boolean isStep(Path path) {
        return isDist(path) || MpRank.anyIn(path);
    }

    private static boolean isDist(Path path) {
        Path metadata = path.resolve(METADATA);
        try {
            return Files.isRegularFile(metadata)
                    && Files.size(metadata) < 1 << 16
                    && Files.readString(metadata).contains("\"sharded_backend\"");
        } catch (IOException e) {
            return false;
        }
    }

    private static List<String> steps(Path path) {
        try (Stream<Path> list = Files.list(path)) {
            return list.filter(Files::isDirectory)
                    .map(p -> String.valueOf(p.getFileName()))
                    .filter(n -> STEP.matcher(n).matches())
                    .sorted()
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /// The step at `path`: `iteration`, or the one the tracker file names, or the only one.
    ///
    /// **Errors.** [Fault] `K2001` where the step is not there, `K2002` where nothing says which is meant,
    /// `K4012` for a backend that is not read.
    static StepDirectory of(Path path, OptionalLong iteration) {
        Path inner = path.resolve("dist_ckpt");
        if (isStep(path) || isDist(inner)) {
            Path step = isStep(path) ? path : inner;
            checkIs(step, iteration);
            return new StepDirectory(path, step, layout(step), Optional.empty());
        }
        List<String> steps = steps(path);
        String name = iteration.isPresent() ? stepName(iteration.getAsLong()) : named(path, steps);
        Path step = path.resolve(name);
        if (!isStep(step)) {
            throw new Fault(
                    Code.K2001,
                    path + ": " + (iteration.isPresent() ? "no iteration " : LATEST + " names ") + name
                            + (Files.isDirectory(step) ? ", which holds no checkpoint" : ", which is not there"),
                    "the directory holds " + String.join(", ", steps),
                    "open one of them: open " + path.resolve(steps.isEmpty() ? name : steps.getLast()));
        }
        List<String> others = steps.stream().filter(s -> !s.equals(name)).toList();
        return new StepDirectory(
                path,
                step,
                layout(step),
                others.isEmpty()
                        ? Optional.empty()
                        : Optional.of("opened " + name + "; there are also " + String.join(", ", others)));
    }

    private static void checkIs(Path step, OptionalLong iteration) {
        if (iteration.isPresent() && !step.endsWith(stepName(iteration.getAsLong()))) {
            throw new Fault(
                    Code.K1003,
                    step + " is not iteration " + iteration.getAsLong(),
                    "it is the directory of one step already",
                    "leave --iteration out, or open the directory above");
        }
    }

    private static String named(Path path, List<String> steps) {
        if (Files.isRegularFile(path.resolve(LATEST))) {
            String text = tracker(path.resolve(LATEST));
            return text.equals("release") ? text : iteration(path, text);
        }
        if (steps.size() > 1) {
            throw new Fault(
                    Code.K2002,
                    path + " holds " + steps.size() + " iterations and no " + LATEST,
                    "they are " + String.join(", ", steps),
                    "say which: open … --iteration N");
        }
        return steps.getFirst();
    }

    private static String stepName(long iteration) {
        return String.format(Locale.ROOT, "iter_%07d", iteration);
    }

    private static String tracker(Path file) {
        try {
            if (!Files.isRegularFile(file) || Files.size(file) > MAX_TRACKER_BYTES) {
                throw noIteration(file, "has " + Files.size(file) + " bytes");
            }
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    file + ": cannot be read",
                    "the system says: " + e.getMessage(),
                    "check the path and its permissions",
                    e);
        }
    }

    private static String iteration(Path path, String text) {
        if (!text.matches("\\d{1,18}")) {
            throw noIteration(path.resolve(LATEST), "holds no number");
        }
        return stepName(Long.parseLong(text));
    }

    private static Fault noIteration(Path file, String what) {
        return new Fault(
                Code.K3101,
                file + " " + what,
                "it names the last iteration saved, or says release",
                "open an iteration itself: open DIR/iter_NNNNNNN");
    }

    private static Layout layout(Path step) {
        if (!isDist(step)) {
            return Layout.LEGACY;
        }
        JsonNode backend = JsonFile.read(step.resolve(METADATA)).path("sharded_backend");
        if (backend.asString("?").equals("torch_dist")) {
            return Layout.TORCH_DIST;
        }
        throw new Fault(
                Code.K4012,
                step + ": a Megatron checkpoint in the format " + backend.asString("?"),
                "only torch_dist is read; zarr keeps a directory of chunk files per tensor",
                "load it with the Megatron-LM that wrote it and save with --ckpt-format torch_dist");
    }
}
