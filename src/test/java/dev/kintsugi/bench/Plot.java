package dev.kintsugi.bench;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The growth of cost, as an SVG: seconds to open over ranks, memory over a model's size.
final class Plot {
    private static final int WIDTH = 340;
    private static final int HEIGHT = 220;
    private static final int MARGIN = 46;

    private final StringBuilder svg = new StringBuilder();

    private Plot() {}

    /// A drawing of the rows called `scale … ranks` and `memory … GB`.
    static String of(List<Row> rows) {
        Plot plot = new Plot();
        plot.svg.append(String.format(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\""
                        + " font-size=\"11\">%n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n",
                2 * WIDTH, HEIGHT));
        plot.panel(
                0,
                "seconds to open and plan 1,000 tensors, over ranks",
                Map.of("open and plan", points(rows, "scale (\\d+) ranks", Row::seconds)));
        plot.panel(
                WIDTH,
                "MiB of memory without mapped files, over GB",
                Map.of(
                        "stats", points(rows, "memory stats (\\d+) GB", Row::anonymousMib),
                        "merge", points(rows, "memory merge (\\d+) GB", Row::anonymousMib)));
        return plot.svg.append("</svg>\n").toString();
    }

    private static SequencedMap<Double, Double> points(List<Row> rows, String name, ToDoubleFunction<Row> value) {
        SequencedMap<Double, Double> points = new TreeMap<>();
        for (Row row : rows) {
            Matcher matcher = Pattern.compile(name).matcher(row.name());
            if (matcher.matches()) {
                points.put(Double.parseDouble(matcher.group(1)), value.applyAsDouble(row));
            }
        }
        return points;
    }

    private void panel(int left, String title, Map<String, SequencedMap<Double, Double>> lines) {
        OptionalDouble across = lines.values().stream()
                .flatMap(l -> l.keySet().stream())
                .mapToDouble(Double::doubleValue)
                .max();
        if (across.isEmpty()) {
            return;
        }
        double up = lines.values().stream()
                        .flatMap(l -> l.values().stream())
                        .mapToDouble(Double::doubleValue)
                        .max()
                        .orElse(1)
                * 1.15;
        text(left + MARGIN, 16, "start", title);
        line(left + MARGIN, HEIGHT - MARGIN, left + WIDTH - 14, HEIGHT - MARGIN, "black");
        line(left + MARGIN, 28, left + MARGIN, HEIGHT - MARGIN, "black");
        text(left + MARGIN - 5, 36, "end", number(up));
        text(left + MARGIN - 5, HEIGHT - MARGIN + 4, "end", "0");
        int color = 0;
        for (Map.Entry<String, SequencedMap<Double, Double>> entry : new TreeMap<>(lines).entrySet()) {
            String stroke = color++ == 0 ? "#0072b2" : "#d55e00";
            StringBuilder path = new StringBuilder();
            for (Map.Entry<Double, Double> point : entry.getValue().entrySet()) {
                double x = left + MARGIN + point.getKey() / across.getAsDouble() * (WIDTH - MARGIN - 60);
                double y = HEIGHT - MARGIN - point.getValue() / up * (HEIGHT - MARGIN - 28);
                path.append(path.isEmpty() ? "M" : " L")
                        .append(number(x))
                        .append(' ')
                        .append(number(y));
                svg.append(String.format(
                        Locale.ROOT, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>%n", x, y, stroke));
                text(x, HEIGHT - MARGIN + 15, "middle", number(point.getKey()));
                if (point.getKey() == across.getAsDouble()) {
                    text(x + 6, y + (color == 1 ? 4 : -6), "start", entry.getKey());
                }
            }
            svg.append(String.format("<path d=\"%s\" fill=\"none\" stroke=\"%s\"/>%n", path, stroke));
        }
    }

    private void line(int fromX, int fromY, int toX, int toY, String stroke) {
        svg.append(String.format(
                "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\"/>%n", fromX, fromY, toX, toY, stroke));
    }

    private void text(double x, double y, String anchor, String text) {
        svg.append(String.format(
                Locale.ROOT, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n", x, y, anchor, text));
    }

    private static String number(double value) {
        return value == Math.rint(value)
                ? String.format(Locale.ROOT, "%.0f", value)
                : String.format(Locale.ROOT, value < 10 ? "%.2f" : "%.1f", value);
    }
}
