package dev.kintsugi.shell;

import dev.kintsugi.fusion.AttentionReport;

/// The attention a model has in each group, as a line of blocks.
final class HeatLine {
    private static final int WIDTH = 64;
    private static final String MARKS = "▁▂▃▄▅▆▇█";

    private HeatLine() {}

    /// One mark a group, or where there are more than fit, a mark for the mean of several.
    static String of(AttentionReport report, int model) {
        int cells = Math.min(WIDTH, report.groupCount());
        StringBuilder line = new StringBuilder();
        for (int cell = 0; cell < cells; cell++) {
            int from = (int) ((long) cell * report.groupCount() / cells);
            int to = (int) ((long) (cell + 1) * report.groupCount() / cells);
            double sum = 0;
            for (int group = from; group < to; group++) {
                sum += report.attention(model, group);
            }
            int mark = (int) Math.floor(sum / (to - from) * MARKS.length());
            line.append(MARKS.charAt(Math.clamp(mark, 0, MARKS.length() - 1)));
        }
        return line.toString();
    }

    /// ` or 38 of them` where a mark stands for several groups.
    static String scale(AttentionReport report) {
        return report.groupCount() <= WIDTH ? "" : " or " + Math.ceilDiv(report.groupCount(), WIDTH) + " of them";
    }
}
