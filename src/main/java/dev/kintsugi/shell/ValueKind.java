package dev.kintsugi.shell;

/// What a word stands for, which decides how it completes.
enum ValueKind {
    PATH,
    DIRECTORY,
    RECIPE,
    MODEL,
    SELECTOR,
    TENSOR,
    COMMAND,
    CODE,
    METHOD,
    FORMAT,
    TEXT
}
