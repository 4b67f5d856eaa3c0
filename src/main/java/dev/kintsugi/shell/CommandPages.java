package dev.kintsugi.shell;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The reference of the commands, made of the help they print.
final class CommandPages {
    /// The groups in the order in which help lists them, and their titles.
    static final Map<String, String> GROUPS = groups();

    private CommandPages() {}

    private static Map<String, String> groups() {
        Map<String, String> groups = new LinkedHashMap<>();
        groups.put("models", "Open");
        groups.put("look", "Look");
        groups.put("fuse", "Fuse");
        groups.put("prove", "Prove and write");
        groups.put("recipes", "Recipes");
        groups.put("shell", "Shell");
        return groups;
    }

    static String markdown(List<Verb> verbs) {
        StringBuilder text = new StringBuilder("""
            # Commands

            What `help COMMAND` prints. Every command also runs alone, `scripts/kintsugi COMMAND …`, and in a recipe. Options
            may be written with `-` or `_` between words, and `--name=value` is `--name value`. Which tensors `SEL` means is
            told in [selectors](selectors.md), codes of errors in [errors](errors.md).
            """);
        GROUPS.forEach((group, title) -> {
            List<Verb> members =
                    verbs.stream().filter(v -> v.getGroup().equals(group)).toList();
            if (!members.isEmpty()) {
                text.append("\n## ").append(title).append('\n');
            }
            members.forEach(v -> text.append("\n### ")
                    .append(v.getName())
                    .append("\n\n```text\n")
                    .append(v.getHelp())
                    .append("```\n"));
        });
        return text.toString();
    }
}
