package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;

/// A run from which the JVM learns what a start needs: the terminal, completion, an export and a merge. The launcher
/// starts it once after a build.
public final class Training {
    private Training() {}

    /// **Arguments.** The checkpoint to merge.
    public static void main(String[] arguments) throws IOException {
        Console.ofProcess(System.out, System.err, Map.of(Main.class.getSimpleName(), ""))
                .note("training");
        PrintWriter nowhere = new PrintWriter(Writer.nullWriter());
        Path scratch = Files.createTempDirectory("kintsugi-training");
        try (Shell shell = Shell.on(new Console(nowhere, nowhere, false, false, 80), new Places(Map.of(), scratch));
                Terminal terminal = TerminalBuilder.builder().dumb(true).build()) {
            Interrupts.remove(Interrupts.cancelOnSignal(shell.session()));
            Prompt.reader(shell, terminal, Optional.empty());
            Prompt.complete(shell, "open --", new ArrayList<>());
            String checkpoint = Tokenizer.quote(Path.of(arguments[0]).toString());
            String target = Tokenizer.quote(scratch.resolve("out").toString());
            String workspace = Tokenizer.quote(scratch.resolve("workspace").toString());
            Status status = shell.run("workspace save " + workspace + "; version; help; help merge; open " + checkpoint
                    + " --as sample; placements; tensors;" + " shards --format json; validate --data; export sample "
                    + target + "; workspace; workspace open");
            Prompt.complete(shell, "tensors sample model.", new ArrayList<>());
            if (status == Status.DONE) {
                status = Main.command(
                        shell,
                        Start.of(List.of(
                                "merge",
                                "--backend",
                                "fsdp",
                                "--local_dir",
                                arguments[0],
                                "--target_dir",
                                scratch.resolve("merged").toString())));
            }
            if (status != Status.DONE) {
                throw new IllegalStateException("the sample could not be merged");
            }
        } finally {
            delete(scratch);
        }
    }

    private static void delete(Path root) throws IOException {
        try (Stream<Path> all = Files.walk(root)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
