package dev.kintsugi.shell;

import dev.kintsugi.fault.Limit;

/// `help safety`: what is promised whatever a file holds, from `docs/reference/safety.md`, and the limits as they
/// are now.
final class Safety {
    static final String TOPIC = "safety";
    private static final String PROMISES = "## Promises";

    private Safety() {}

    static Sheet sheet() {
        Sheet sheet = Sheet.of(TOPIC)
                .fact("promises", promises().lines().toList())
                .rows("limits")
                .column("limit", "limit")
                .number("value", "value")
                .number("usual", "usual")
                .dataOnly()
                .column("about", "of what");
        promises().lines().forEach(sheet::line);
        sheet.line("")
                .line("Limits, to be changed with --limit NAME=N for one command, set limit.NAME N for those that"
                        + " follow:");
        for (Limit limit : Limit.values()) {
            sheet.row(limit.label(), limit.value(), limit.usual(), limit.about());
        }
        return sheet;
    }

    /// The section of the page that says them.
    private static String promises() {
        String page = ReferencePage.text("safety.md");
        int start = page.indexOf(PROMISES) + PROMISES.length();
        return page.substring(start, page.indexOf("\n## ", start)).strip();
    }
}
