package dev.kintsugi.export;

import dev.kintsugi.fault.Limit;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Which files of an unfinished output are complete: a line each with name and checksum, behind a line that
/// tells one plan from another.
final class Journal {
    static final String NAME = ".kintsugi-journal";

    private final Path path;

    private Journal(Path path) {
        this.path = path;
    }

    /// The journal in `directory`, begun anew unless it is of the plan with this `fingerprint`.
    static Journal open(Path directory, String fingerprint) throws IOException {
        Journal journal = new Journal(directory.resolve(NAME));
        List<String> lines = journal.lines();
        if (lines.isEmpty() || !lines.getFirst().equals(fingerprint)) {
            Files.writeString(journal.path, fingerprint + "\n");
        }
        return journal;
    }

    private List<String> lines() throws IOException {
        if (!Files.isRegularFile(path) || Files.size(path) > Limit.WORKSPACE_BYTES.value()) {
            return List.of();
        }
        String text = Files.readString(path, StandardCharsets.UTF_8);
        int complete = text.lastIndexOf('\n') + 1;
        return text.substring(0, complete).lines().toList();
    }

    /// The finished files and their checksums.
    Map<String, String> finished() throws IOException {
        Map<String, String> finished = new LinkedHashMap<>();
        for (String line : lines().stream().skip(1).toList()) {
            int space = line.indexOf(' ');
            if (space > 0) {
                finished.put(line.substring(space + 1), line.substring(0, space));
            }
        }
        return finished;
    }

    synchronized void finish(String name, String checksum) throws IOException {
        Files.writeString(path, checksum + " " + name + "\n", StandardOpenOption.APPEND);
    }

    void delete() throws IOException {
        Files.deleteIfExists(path);
    }

    /// Tells this plan from any other: its files, their layout, the sources' sizes and times.
    static String fingerprint(ExportPlan plan, List<String> sources) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (PlannedFile file : plan.files()) {
                digest.update((file.name() + "\n" + file.byteCount() + "\n").getBytes(StandardCharsets.UTF_8));
                switch (file) {
                    case PlannedFile.Weights weights ->
                        digest.update(weights.layout().head());
                    case PlannedFile.Text text -> digest.update(text.bytes());
                    case PlannedFile.Copy copy -> {}
                }
            }
            sources.forEach(s -> digest.update(s.getBytes(StandardCharsets.UTF_8)));
            digest.update(plan.options().dtype().toString().getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }
}
