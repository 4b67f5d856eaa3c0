package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// A shell that tests of fusing type into.
final class FuseShell implements AutoCloseable {
    static final Path MODELS = Golden.resource("fusion/mergekit/models");
    static final Path RUNS = Golden.resource("fsdp");

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final Shell shell = Shell.on(new Console(new PrintWriter(out), new PrintWriter(err), false, false, 100));

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
        Status status = run(line);
        assertEquals(Status.DONE, status, () -> line + "\n" + err);
        return output();
    }

    /// Runs `line`, which must end with `wanted`, and gives what it says on the error stream.
    String fails(Status wanted, String line) {
        Status status = run(line);
        assertEquals(wanted, status, () -> line + "\n" + out + err);
        return errors();
    }

    JsonNode json(String line) {
        return JsonMapper.shared().readTree(type(line + " --format json"));
    }

    private Status run(String line) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return shell.run(line);
    }

    String output() {
        return out.toString().replace("\r\n", "\n");
    }

    String errors() {
        return err.toString().replace("\r\n", "\n");
    }

    Shell shell() {
        return shell;
    }

    @Override
    public void close() {
        shell.close();
    }
}
