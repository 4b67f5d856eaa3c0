package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;

/// The pages of `docs/reference/errors.md`, one a code.
final class ErrorPages {
    private ErrorPages() {}

    /// The page, in lines as wide as `width` allows.
    static Sheet sheet(Code code, int width) {
        Sheet sheet = Sheet.of("explain-code")
                .fact("code", code.name())
                .fact("title", code.title())
                .fact("exit_status", code.status().exitCode())
                .fact("page", page(code));
        sheet.line(code.name() + "  " + code.title() + "  (exit "
                + code.status().exitCode() + ": " + code.status().meaning() + ")");
        for (String paragraph : page(code).split("\n\n+")) {
            Fold.paragraph(paragraph.replace('\n', ' '), width).forEach(sheet::line);
        }
        return sheet;
    }

    /// What stands below the heading of `code`.
    static String page(Code code) {
        StringBuilder page = new StringBuilder();
        boolean inside = false;
        for (String line : text().lines().toList()) {
            if (line.startsWith("#")) {
                inside = line.startsWith("### " + code.name() + " ");
            } else if (inside) {
                page.append(line).append('\n');
            }
        }
        return page.toString().strip();
    }

    static String text() {
        return ReferencePage.text("errors.md");
    }
}
