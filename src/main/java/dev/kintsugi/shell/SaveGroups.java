package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Files that one save wrote, told by names that differ in numbers only: whether they were written together and
/// are of like size.
final class SaveGroups {
    private static final long MIXED_MILLIS = 30 * 60_000L;
    private static final List<String> ENDINGS = List.of(".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".distcp");

    private record Entry(Path path, long bytes, long modifiedMillis) {
        String name() {
            return String.valueOf(path.getFileName());
        }
    }

    private SaveGroups() {}

    /// Warnings about groups among `files`.
    static List<Diagnosis> check(List<Path> files) {
        Map<String, List<Entry>> groups = new LinkedHashMap<>();
        for (Path file : files) {
            String name = String.valueOf(file.getFileName());
            if (ENDINGS.stream().anyMatch(name::endsWith)) {
                String key = file.getParent() + "/" + name.replaceAll("\\d+", "#");
                try {
                    groups.computeIfAbsent(key, k -> new ArrayList<>())
                            .add(new Entry(
                                    file,
                                    Files.size(file),
                                    Files.getLastModifiedTime(file).toMillis()));
                } catch (IOException e) {
                    // Whoever reads the file tells why it cannot be read.
                    groups.remove(key);
                }
            }
        }
        List<Diagnosis> findings = new ArrayList<>();
        groups.values().stream().filter(g -> g.size() > 1).forEach(group -> {
            times(group, findings);
            sizes(group, findings);
        });
        return findings;
    }

    private static void times(List<Entry> group, List<Diagnosis> findings) {
        List<Entry> sorted = new ArrayList<>(group);
        sorted.sort(Comparator.comparingLong(Entry::modifiedMillis));
        int split = 1;
        for (int i = 2; i < sorted.size(); i++) {
            if (gap(sorted, i) > gap(sorted, split)) {
                split = i;
            }
        }
        long gap = gap(sorted, split);
        if (gap <= MIXED_MILLIS) {
            return;
        }
        boolean older = split <= sorted.size() - split;
        List<Entry> odd = older ? sorted.subList(0, split) : sorted.subList(split, sorted.size());
        findings.add(Diagnosis.warning(
                Code.K3002,
                odd.getFirst().name(),
                "mixed save times: " + names(odd) + (odd.size() == 1 ? " is " : " are ") + minutes(gap)
                        + (older ? " older" : " newer") + " than the other " + (sorted.size() - odd.size()),
                "files of two saves are mixed, or some were copied again later",
                "compare the training step of these files; copy those of one step"));
    }

    private static long gap(List<Entry> sorted, int at) {
        return sorted.get(at).modifiedMillis() - sorted.get(at - 1).modifiedMillis();
    }

    private static String minutes(long millis) {
        long minutes = millis / 60_000;
        return minutes < 120
                ? minutes + " minutes"
                : minutes < 2880 ? minutes / 60 + " hours" : minutes / 1440 + " days";
    }

    private static void sizes(List<Entry> group, List<Diagnosis> findings) {
        if (group.size() < 3) {
            return;
        }
        List<Long> sizes = group.stream().map(Entry::bytes).sorted().toList();
        long median = sizes.get(sizes.size() / 2);
        List<Entry> odd = group.stream()
                .filter(e -> e.bytes() < median / 2 || e.bytes() / 2 > median)
                .toList();
        if (!odd.isEmpty() && odd.size() <= group.size() / 3) {
            findings.add(Diagnosis.warning(
                    Code.K3002,
                    odd.getFirst().name(),
                    "odd sizes: " + names(odd) + (odd.size() == 1 ? " has " : " have ")
                            + Units.bytes(odd.getFirst().bytes()) + ", the others about " + Units.bytes(median),
                    "cut short, of another run, or holding fewer pieces, as the last rank of an uneven split does",
                    "compare what each holds: shards"));
        }
    }

    private static String names(List<Entry> entries) {
        List<String> names = entries.stream().map(Entry::name).sorted().limit(4).toList();
        return String.join(", ", names) + (entries.size() > 4 ? " and " + (entries.size() - 4) + " more" : "");
    }
}
