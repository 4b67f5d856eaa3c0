package dev.kintsugi.shell;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/// Shows text page by page with the person's own program: `KINTSUGI_PAGER`, `PAGER`, or `less`; `cat` pages
/// nothing.
final class Pager {
    private final String command;

    Pager(String command) {
        this.command = command;
    }

    static Pager of(Map<String, String> environment) {
        return new Pager(environment
                .getOrDefault("KINTSUGI_PAGER", environment.getOrDefault("PAGER", "less"))
                .strip());
    }

    /// Shows `text` and waits until the person has seen enough. Whether the program could be started.
    boolean show(String text) {
        if (command.isEmpty() || command.equals("cat")) {
            return false;
        }
        ProcessBuilder builder = new ProcessBuilder("sh", "-c", command);
        builder.redirectOutput(Redirect.INHERIT).redirectError(Redirect.INHERIT);
        // As git has it: leave when it fits, show colours, keep the text on the screen.
        builder.environment().putIfAbsent("LESS", "FRX");
        builder.environment().putIfAbsent("LESSCHARSET", "utf-8");
        try {
            Process process = builder.start();
            boolean taken = true;
            try (OutputStream in = process.getOutputStream()) {
                in.write(text.getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                // The person left before the end, or there is no such program, which its exit status tells.
                taken = process.waitFor() != NOT_FOUND;
            }
            return process.waitFor() != NOT_FOUND && taken;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return true;
        }
    }

    /// What `sh` ends with where there is no such program.
    private static final int NOT_FOUND = 127;
}
