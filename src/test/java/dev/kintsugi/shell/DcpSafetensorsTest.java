package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Safetensors that `torch.distributed.checkpoint` wrote, a file or more a rank, with the offsets in their headers.
class DcpSafetensorsTest {
    private static final String FIXTURE = "fsdp/dcp_safetensors_3";

    @TempDir
    Path scratch;

    private Path saved;
    private Path out;

    @BeforeEach
    void copy() {
        saved = Broken.copy(Golden.resource(FIXTURE).resolve("ckpt"), scratch.resolve("ckpt"));
        out = scratch.resolve("out");
    }

    private Status merge(Screen screen, String more) {
        return screen.run("merge --local_dir " + saved + " --target_dir " + out + more);
    }

    @Test
    void mergesToTheFilesOfSavePretrained() throws IOException {
        try (Screen screen = Screen.piped()) {
            assertEquals(Status.DONE, merge(screen, ""), screen.err());
            for (String name : new String[] {"model.safetensors", "config.json", "generation_config.json"}) {
                Path expected = Golden.resource(FIXTURE).resolve("expected").resolve(name);
                assertEquals(-1, Files.mismatch(expected, out.resolve(name)), name);
            }
        }
    }

    @Test
    void eachPieceIsDrawnAndNoFileIsTakenForADouble() {
        try (Screen screen = Screen.piped()) {
            screen.done("open " + saved + " --as m");
            String explained = screen.done("explain m norm.weight");
            assertTrue(explained.contains("   AAAAAABBBBBBCCCC\n"), explained);
            assertTrue(explained.contains("why rank 2: the header of its file puts it at elements 12..15"), explained);
            assertTrue(screen.done("verify " + saved).contains("6 files sound, 0 damaged"));
        }
    }

    @Test
    void aMissingRankIsNamedByItsNumberOrByTheShapesOfConfigJson() throws IOException {
        for (int file = 1; file <= 2; file++) {
            Files.delete(saved.resolve("shard-00003-model-0000" + file + "-of-00002.safetensors"));
        }
        try (Screen screen = Screen.piped()) {
            assertEquals(Status.REFUSED, merge(screen, ""));
            assertTrue(
                    screen.err().contains("model.embed_tokens.weight is [28, 16], Qwen2ForCausalLM has [41, 16]"),
                    screen.err());
            assertTrue(screen.err().contains("note: pieces by rank, of which no file says how many"), screen.err());
        }
        for (int file = 1; file <= 2; file++) {
            String name = "-model-0000" + file + "-of-00002.safetensors";
            Files.move(saved.resolve("shard-00002" + name), saved.resolve("shard-00004" + name));
        }
        try (Screen screen = Screen.piped()) {
            assertEquals(Status.CORRUPT, merge(screen, " --keys as-is"));
            assertTrue(
                    screen.err().startsWith("error[K3001]: shard-00002-… is missing, shard-00004-… is there"),
                    screen.err());
        }
        assertFalse(Files.exists(out));
    }

    @Test
    void anOffsetThatLeavesAGapIsRefused() throws IOException {
        Path file = saved.resolve("shard-00002-model-00001-of-00002.safetensors");
        String content = Files.readString(file, StandardCharsets.ISO_8859_1);
        String wrong = content.replace(
                "\\\"model.norm.weight\\\": {\\\"saved_offsets\\\": [6]",
                "\\\"model.norm.weight\\\": {\\\"saved_offsets\\\": [7]");
        assertFalse(wrong.equals(content));
        Files.writeString(file, wrong, StandardCharsets.ISO_8859_1);
        try (Screen screen = Screen.piped()) {
            assertEquals(Status.CORRUPT, merge(screen, ""));
            assertTrue(screen.err().startsWith("error[K3005]: model.norm.weight: "), screen.err());
        }
        Files.writeString(
                file, content.replace("saved_offsets\\\": [6]", "saved_offsets\\\": 666"), StandardCharsets.ISO_8859_1);
        try (Screen screen = Screen.piped()) {
            assertEquals(Status.CORRUPT, merge(screen, ""));
            assertTrue(
                    screen.err()
                            .startsWith("error[K2301]: " + file.getFileName() + ": DCP_SHARDING_INFO has no offset"),
                    screen.err());
        }
        assertFalse(Files.exists(out));
    }
}
