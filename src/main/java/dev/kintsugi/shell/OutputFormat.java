package dev.kintsugi.shell;

/// How results are printed.
enum OutputFormat {
    TABLE,
    JSON,
    CSV
}
