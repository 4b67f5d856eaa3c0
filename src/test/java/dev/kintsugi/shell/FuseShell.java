package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// A shell that tests of fusing type into.
final class FuseShell implements AutoCloseable {
    static final Path MODELS = Golden.resource("fusion/mergekit/models");
    static final Path RUNS = Golden.resource("fsdp");

    private final Transcript transcript = new Transcript();
    private Transcript.Result last = new Transcript.Result(Status.DONE, "", "");

    /// With `base`, `e1`, `e2` and `e3` of a family of mergekit's fixtures open.
    static FuseShell of(String family) {
        FuseShell shell = new FuseShell();
        Path base = MODELS.resolve(family).resolve("base");
        shell.type("open " + base + " --as base");
        for (String name : new String[] {"e1", "e2", "e3"}) {
            shell.type("open " + MODELS.resolve(family).resolve(name) + " --as " + name + " --sidecars " + base);
        }
        return shell;
    }

    /// Runs `line`, which must succeed, and gives what it prints.
    String type(String line) {
        last = transcript.run(line);
        assertEquals(Status.DONE, last.status(), () -> line + "\n" + last.err());
        return last.out();
    }

    /// Runs `line`, which must end with `wanted`, and gives what it says on the error stream.
    String fails(Status wanted, String line) {
        last = transcript.run(line);
        assertEquals(wanted, last.status(), () -> line + "\n" + last.out() + last.err());
        return last.err();
    }

    /// Runs `line`, however it ends.
    Transcript.Result run(String line) {
        last = transcript.run(line);
        return last;
    }

    JsonNode json(String line) {
        return JsonMapper.shared().readTree(type(line + " --format json"));
    }

    /// What the last line said on the error stream.
    String errors() {
        return last.err();
    }

    Shell shell() {
        return transcript.shell();
    }

    @Override
    public void close() {
        transcript.close();
    }
}
