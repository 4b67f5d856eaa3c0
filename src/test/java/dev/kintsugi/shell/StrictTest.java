package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.PickleBytes;
import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.ZipBytes;
import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `--strict`: what is noted of a file that breaks its format is refused, and what is only told is not.
class StrictTest {
    private static final String ENTRY = SafetensorsBytes.entry("w", "F32", "[2]", 0, 8);

    @TempDir
    Path scratch;

    private final Typed typed = new Typed();

    private Path write(String header) throws IOException {
        Path file = Files.createDirectories(scratch.resolve("m")).resolve("model.safetensors");
        return Files.write(file, SafetensorsBytes.of(header, 8));
    }

    private String shown() {
        return typed.out + "\n" + typed.err;
    }

    @DisplayName("S-07, S-09, S-23, S-24 --strict refuses each break of the format that is noted else")
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "' {ENTRY}' | the header begins with blanks",
                "'{ENTRY}\t' | padded with other blanks than spaces",
                "'{\"w\":{\"x\":1,\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}' | 1 unknown fields",
                "'{\"__metadata__\":null,ENTRY}' | __metadata__ is null"
            })
    void eachBreakIsRefused(String header, String what) throws IOException {
        Path file = write(header.replace("ENTRY", ENTRY));
        assertEquals(Status.DONE, typed.run("open " + file, "open " + file + " --as again"), shown());
        assertTrue(typed.err.toString().contains("note: model.safetensors: "), shown());
        assertTrue(typed.err.toString().contains(what), shown());
        typed.err.getBuffer().setLength(0);
        assertEquals(Status.CORRUPT, typed.run("open " + file + " --strict"), shown());
        assertTrue(typed.err.toString().contains("error[K2004]: model.safetensors: "), shown());
        assertTrue(typed.err.toString().contains(what), shown());
        assertTrue(typed.err.toString().contains("--strict refuses"), shown());
    }

    @DisplayName("S-07 merge, test and verify take --strict too")
    @Test
    void everyCommandThatOpensAPathTakesIt() throws IOException {
        Path broken = write(" {" + ENTRY + "}").getParent();
        Path sound = Files.createDirectories(scratch.resolve("sound"));
        Files.write(sound.resolve("model.safetensors"), SafetensorsBytes.of("{" + ENTRY + "}", 8));
        Path target = scratch.resolve("out");
        String merge = "merge --local_dir " + broken + " --target_dir " + target + " --keys as-is";
        assertEquals(Status.CORRUPT, typed.run(merge + " --strict"), shown());
        assertFalse(Files.exists(target));
        assertEquals(Status.DONE, typed.run(merge), shown());
        String test = "test --local_dir " + sound + " --test_hf_dir " + broken;
        assertEquals(Status.DONE, typed.run(test), shown());
        assertEquals(Status.CORRUPT, typed.run(test + " --strict"), shown());
        assertEquals(Status.DONE, typed.run("verify " + broken), shown());
        assertEquals(Status.CORRUPT, typed.run("verify " + broken + " --strict"), shown());
        assertEquals(Status.DONE, typed.run("verify " + sound + " --strict"), shown());
    }

    @DisplayName("P-01 --strict refuses a pickle with a call that torch writes for no tensor")
    @Test
    void anOpaqueCallIsRefused() throws IOException {
        PickleBytes pickle = PickleBytes.proto2().op('}').text("evil").call("posix", "system", "id");
        byte[] bytes = ZipBytes.torch(
                pickle.op('s').text("layers.0.weight").vector("0", 4).op('s').stop(), "0", new byte[16]);
        Path file = Files.write(scratch.resolve("model.bin"), bytes);
        assertEquals(Status.DONE, typed.run("open " + file), shown());
        assertEquals(Status.CORRUPT, typed.run("open " + file + " --strict"), shown());
        assertTrue(typed.err.toString().contains("error[K2004]: opaque call posix.system(\"id\")"), shown());
    }

    @Test
    void whatIsOnlyToldIsNoReason() throws IOException {
        Path sound = write("{" + ENTRY + "}").getParent();
        Files.writeString(sound.resolve("config.json"), "{\"auto_map\": {\"AutoModel\": \"evil.Model\"}}");
        assertEquals(Status.DONE, typed.run("open " + sound + " --strict"), shown());
        assertTrue(typed.err.toString().contains("note: config.json names code of its own"), shown());
    }

    @Test
    void aWorkspaceOpensAsStrictlyAsItWasOpened() throws IOException {
        Path sound = write("{" + ENTRY + "}");
        Path recipe = scratch.resolve("again.rsh");
        String saved = "workspace save " + scratch.resolve("ws");
        assertEquals(
                Status.DONE,
                typed.run(saved, "open " + sound + " --as m --strict", "workspace recipe " + recipe),
                shown());
        assertTrue(Files.readString(recipe).contains(" --as m --strict"), Files.readString(recipe));
        write("{" + ENTRY + "}  \t");
        typed.err.getBuffer().setLength(0);
        typed.run("workspace open " + scratch.resolve("ws"));
        assertTrue(typed.err.toString().contains("error[K2004]"), shown());
        assertEquals(Status.CORRUPT, typed.run("run " + recipe), shown());
    }

    @Test
    void tabCompletesIt() {
        try (Screen screen = Screen.piped()) {
            for (String command : List.of("open", "merge", "test", "verify")) {
                List<String> values = screen.shell().session().completions().of(List.of(command, "--str")).stream()
                        .map(Completions.Proposal::value)
                        .toList();
                assertEquals(List.of("--strict"), values, command);
            }
        }
    }
}
