package dev.kintsugi.export;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.ChildJvm;
import dev.kintsugi.work.Job;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.SortedMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Exports that are killed. `-Dkintsugi.kills=100` kills more of them.
class CrashTest {
    private static final long SEED = 20_261_124;
    private static final long SHARD_BYTES = 4_000_000;

    @TempDir
    Path scratch;

    @DisplayName("I-11 an export killed at any moment leaves no partial output, and --resume finishes the same files")
    @Test
    void aKilledExportLeavesNoPartialOutputAndResumes() throws IOException, InterruptedException {
        Path source = Models.write(scratch.resolve("source"), 24, 500_000);
        SortedMap<String, ByteBuffer> before = Models.contents(source);
        Job job = new Job(2);
        Models.export(source, scratch.resolve("whole"), Models.options(SHARD_BYTES, false, false), job);
        SortedMap<String, ByteBuffer> whole = Models.contents(scratch.resolve("whole"));
        Random random = new Random(SEED);
        int kills = Integer.getInteger("kintsugi.kills", 20);
        int within = 0;
        int kept = 0;
        for (int kill = 0; kill < kills; kill++) {
            Path room = Files.createDirectory(scratch.resolve("room"));
            Path target = room.resolve("out");
            boolean byTime = random.nextInt(4) == 0;
            boolean finished = byTime
                    ? killedAfter(source, target, random.nextInt(120))
                    : haltedAfter(source, target, random.nextLong(job.doneBytes()));
            List<String> left = Models.names(room);
            String moment = "seed " + SEED + ", kill " + kill + ", left " + left;
            if (Files.exists(target)) {
                assertEquals(whole, Models.contents(target), moment);
            } else {
                assertFalse(finished, moment);
                within++;
                ExportReport report =
                        Models.export(source, target, Models.options(SHARD_BYTES, false, true), new Job(2));
                kept += report.kept();
                assertEquals(whole, Models.contents(target), moment);
                assertEquals(List.of("out"), Models.names(room), moment);
            }
            assertEquals(before, Models.contents(source), moment);
            Staging.delete(room);
        }
        assertTrue(within > kills / 2, within + " of " + kills + " kills hit the export, " + kept + " files were kept");
        assertTrue(kept > 0, "a resume kept files that were finished");
    }

    /// An export that is gone once `bytes` are done; says whether it had ended before.
    private boolean haltedAfter(Path source, Path target, long bytes) {
        return new ChildJvm(scratch)
                        .run(
                                ChildExport.class.getName(),
                                source.toString(),
                                target.toString(),
                                "" + SHARD_BYTES,
                                "1",
                                "" + bytes)
                        .status()
                == 0;
    }

    /// Starts an export, kills it `millis` after it began to write, and says whether it had ended before.
    private boolean killedAfter(Path source, Path target, int millis) throws InterruptedException {
        Process process = new ChildJvm(scratch)
                .start(ChildExport.class.getName(), source.toString(), target.toString(), "" + SHARD_BYTES, "1");
        Path part = target.resolveSibling(".out.kintsugi-part");
        while (process.isAlive() && !Files.exists(part)) {
            process.waitFor(1, TimeUnit.MILLISECONDS);
        }
        boolean ended = process.waitFor(millis, TimeUnit.MILLISECONDS);
        process.destroyForcibly();
        process.waitFor();
        return ended;
    }
}
