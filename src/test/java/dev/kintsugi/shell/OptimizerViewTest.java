package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// The optimizer's state beside a model, named `actor.optim`.
class OptimizerViewTest {
    @TempDir
    Path scratch;

    private final Transcript shell = new Transcript();

    @Test
    void itIsListedComparedAndWrittenWholeByParameterName() throws IOException {
        shell.run("open " + Golden.resource("fsdp/fsdp2_4/ckpt") + " --as actor");
        Transcript.Result listed = shell.run("tensors actor.optim model.norm.weight.**");
        assertTrue(listed.out().contains("model.norm.weight.exp_avg_sq"), listed.out());
        assertTrue(listed.out().contains("3 of 81 tensors"), listed.out());
        assertEquals(
                Status.DONE, shell.run("assert equal actor.optim actor.optim").status());
        Path target = scratch.resolve("optim");
        Transcript.Result written = shell.run("export actor.optim '" + target + "'");
        assertEquals(Status.DONE, written.status(), written.err());
        try (Stream<Path> files = Files.list(target)) {
            assertEquals(
                    List.of("optimizer.json", "optimizer.safetensors"),
                    files.map(p -> p.getFileName().toString()).sorted().toList());
        }
        var values = Golden.read(target.resolve("optimizer.safetensors"));
        assertEquals(81, values.size());
        var step = values.get("model.norm.weight.step");
        assertEquals("F32 []", step.spec().toString());
        assertArrayEquals(new byte[] {0, 0, (byte) 0x80, 0x3f}, step.bytes(), "one step was taken");
        JsonNode settings = JsonMapper.shared().readTree(Files.readString(target.resolve("optimizer.json")));
        assertEquals(27, settings.path("param_groups").path(0).path("params").size(), settings.toPrettyString());
    }

    @Test
    void aModelWithoutOptimizerFilesSaysSo() {
        shell.run("open docs/sample/actor --as actor");
        Transcript.Result result = shell.run("tensors actor.optim");
        assertEquals(Status.USAGE, result.status());
        assertTrue(result.err().startsWith("error[K1004]: actor has no optimizer state"), result.err());
    }

    @Test
    void itClosesWithItsModel() {
        shell.run("open " + Golden.resource("fsdp/fsdp2_4/ckpt") + " --as actor; info actor.optim");
        assertTrue(shell.run("close actor.optim").err().contains("close the model: close actor"));
        assertEquals(Status.DONE, shell.run("close actor").status());
        assertEquals(Status.USAGE, shell.run("tensors actor.optim").status());
    }
}
