package dev.kintsugi.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The rows of one bench, as a Markdown table and beside the bars.
final class Report {
    private final List<Row> rows = new ArrayList<>();

    List<Row> rows() {
        return List.copyOf(rows);
    }

    void add(Row row) {
        rows.add(row);
        System.err.printf("  %s: %.3f s, ratio %.2f%n", row.name(), row.seconds(), row.ratio());
    }

    /// Adds what 1,024 ranks cost for each piece, against 64.
    void compareScale() {
        Map<String, Row> byName = new LinkedHashMap<>();
        rows.forEach(r -> byName.put(r.name(), r));
        Row few = byName.get("scale 64 ranks");
        Row many = byName.get("scale 1024 ranks");
        if (few != null && many != null) {
            double growth = many.seconds() / few.seconds() / 16;
            rows.add(new Row("scale growth of cost per piece", 0, 0, 0, 0, 0, growth, "", 0, 0));
        }
    }

    void print(PrintStream out) {
        out.println(
                "| row | seconds | CPU | start-up | reference | with fsync | beyond / reference | beyond / with fsync"
                        + " | bar's ratio | heap limit | peak RSS MiB | of it anonymous |");
        out.println("|---|---|---|---|---|---|---|---|---|---|---|---|");
        for (Row row : rows) {
            out.printf(
                    "| %s | %s | %s | %s | %s | %s | %s | %s | %.2f | %s | %s | %s |%n",
                    row.name(),
                    number(row.seconds()),
                    number(row.cpu()),
                    number(row.start()),
                    number(row.reference()),
                    number(row.synced()),
                    number(Row.beyond(row.seconds(), row.start(), row.reference())),
                    number(Row.beyond(row.seconds(), row.start(), row.synced())),
                    row.ratio(),
                    row.heap(),
                    row.peakMib() == 0 ? "" : row.peakMib(),
                    row.anonymousMib() == 0 ? "" : row.anonymousMib());
        }
    }

    private static String number(double value) {
        return value == 0 ? "" : String.format("%.2f", value);
    }

    /// The rows whose ratio is over their bar. A bar is a line `RATIO NAME`; `#` begins a comment.
    List<String> fallen(Path bars) throws IOException {
        List<String> fallen = new ArrayList<>();
        for (String line : Files.readAllLines(bars)) {
            if (line.isBlank() || line.startsWith("#")) {
                continue;
            }
            String[] parts = line.strip().split("\\s+", 2);
            double bar = Double.parseDouble(parts[0]);
            rows.stream()
                    .filter(r -> r.name().equals(parts[1]) && !(r.ratio() <= bar))
                    .forEach(r -> fallen.add(
                            String.format("FELL %s: ratio %.2f, its bar is %.2f", r.name(), r.ratio(), bar)));
        }
        return fallen;
    }
}
