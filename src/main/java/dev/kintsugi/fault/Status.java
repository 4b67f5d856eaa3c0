package dev.kintsugi.fault;

/// The exit status a process ends with, the same at the prompt, in a recipe and in one command.
public enum Status {
    DONE(0, "done"),
    DIFFERENT(1, "differences or failed validation"),
    USAGE(2, "usage"),
    CORRUPT(3, "unreadable or corrupt input"),
    REFUSED(4, "refused: it would lose or guess something"),
    IO(5, "input or output: disk, permission"),
    BUG(70, "a bug of ours"),
    INTERRUPTED(130, "interrupted");

    private final int exitCode;
    private final String meaning;

    Status(int exitCode, String meaning) {
        this.exitCode = exitCode;
        this.meaning = meaning;
    }

    public int exitCode() {
        return exitCode;
    }

    public String meaning() {
        return meaning;
    }
}
