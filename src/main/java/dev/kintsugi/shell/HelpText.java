package dev.kintsugi.shell;

import java.util.ArrayList;
import java.util.List;

/// The help of a verb: an example that works, then how it is written, then its options.
final class HelpText {
    private HelpText() {}

    static String of(Verb verb) {
        StringBuilder text = new StringBuilder();
        verb.example().lines().forEach(l -> text.append("    ").append(l).append('\n'));
        text.append('\n').append(verb.getDescription()).append(".\n\n");
        text.append("usage: ").append(usage(verb)).append("\n");
        List<String[]> lines = new ArrayList<>();
        for (OptionSpec option : verb.options()) {
            lines.add(
                    new String[] {"--" + option.name() + (option.isFlag() ? "" : " " + option.value()), option.help()});
        }
        int width = lines.stream()
                .mapToInt(l -> l[0].length())
                .filter(w -> w <= 34)
                .max()
                .orElse(0);
        text.append('\n');
        for (String[] line : lines) {
            String left = "  " + line[0];
            if (line[0].length() > width) {
                text.append(left).append('\n').append(" ".repeat(width + 4));
            } else {
                text.append(left).append(" ".repeat(width + 4 - left.length()));
            }
            text.append(line[1]).append('\n');
        }
        if (!verb.more().isEmpty()) {
            text.append('\n').append(verb.more()).append('\n');
        }
        return text.toString();
    }

    /// The same as a report.
    static Sheet sheet(Verb verb) {
        Sheet sheet = Sheet.of("help-command")
                .fact("command", verb.getName())
                .fact("about", verb.getDescription())
                .fact("usage", usage(verb))
                .fact("examples", verb.example().lines().toList())
                .fact("more", verb.more())
                .rows("options")
                .column("option", "option")
                .dataOnly()
                .column("value", "value")
                .dataOnly()
                .column("values", "values")
                .dataOnly()
                .column("about", "about")
                .dataOnly();
        verb.options().forEach(o -> sheet.row("--" + o.name(), o.value(), o.choices(), o.help()));
        of(verb).lines().forEach(sheet::line);
        return sheet;
    }

    static String usage(Verb verb) {
        StringBuilder text = new StringBuilder(verb.getName());
        verb.parameters().forEach(p -> text.append(' ').append(p.usage()));
        return text.append(" [options]").toString();
    }
}
