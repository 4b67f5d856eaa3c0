package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// A directory `mp_rank_TT[_PPP][_EEE]`. One number after the first is a pipeline rank or an expert rank:
/// only the job's arguments tell.
///
/// @param tp the tensor-parallel rank
/// @param others the numbers after it
record MpRank(Path path, int tp, List<Integer> others) {
    private static final Pattern NAME = Pattern.compile("mp_rank_(\\d{2,6})(?:_(\\d{3,6}))?(?:_(\\d{3,6}))?");
    private static final List<String> FILES = List.of("model_optim_rng.pt", "model_rng.pt");

    MpRank {
        others = List.copyOf(others);
    }

    String name() {
        return String.valueOf(path.getFileName());
    }

    /// The file with the weights. **Errors.** [Fault] `K3001` if there is none.
    Path file() {
        return weights(path)
                .orElseThrow(() -> new Fault(
                        Code.K3001,
                        path + " holds no " + FILES.getFirst(),
                        "the rank did not finish its save, or the file was not copied",
                        "copy it again, or open an earlier iteration"));
    }

    private static Optional<Path> weights(Path directory) {
        return FILES.stream()
                .map(directory::resolve)
                .filter(Files::isRegularFile)
                .findFirst();
    }

    /// What else lies beside the weights, such as `distrib_optim.pt`.
    List<String> besides() {
        Path file = file();
        return list(path).stream()
                .filter(p -> !p.equals(file))
                .map(p -> name() + "/" + p.getFileName())
                .toList();
    }

    /// Whether `directory` holds such directories with weights in them.
    static boolean anyIn(Path directory) {
        try (Stream<Path> list = Files.list(directory)) {
            return list.anyMatch(p -> parse(p).isPresent() && weights(p).isPresent());
        } catch (IOException e) {
            return false;
        }
    }

    /// All in `directories`, by their numbers. **Errors.** [Fault] `K2002` if one is there twice.
    static List<MpRank> scan(List<Path> directories) {
        Map<String, MpRank> found = new TreeMap<>();
        for (Path directory : directories) {
            for (Path entry : list(directory)) {
                parse(entry).ifPresent(rank -> {
                    MpRank before = found.put(rank.name(), rank);
                    if (before != null) {
                        throw new Fault(
                                Code.K2002,
                                before.path() + " and " + rank.path() + " are the same rank",
                                "the directories are not parts of one checkpoint",
                                "open them one by one");
                    }
                });
            }
        }
        return found.values().stream()
                .sorted(Comparator.comparing(MpRank::number).thenComparing(MpRank::name))
                .toList();
    }

    private String number() {
        StringBuilder key = new StringBuilder(String.format(Locale.ROOT, "%08d", tp));
        others.forEach(o -> key.append(String.format(Locale.ROOT, "%08d", o)));
        return key.toString();
    }

    private static Optional<MpRank> parse(Path path) {
        Matcher matcher = NAME.matcher(String.valueOf(path.getFileName()));
        if (!matcher.matches() || !Files.isDirectory(path)) {
            return Optional.empty();
        }
        List<Integer> others = new ArrayList<>();
        for (int group = 2; group <= 3; group++) {
            Optional.ofNullable(matcher.group(group)).map(Integer::valueOf).ifPresent(others::add);
        }
        return Optional.of(new MpRank(path, Integer.parseInt(matcher.group(1)), others));
    }

    private static List<Path> list(Path directory) {
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
