package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.ChildJvm;
import dev.kintsugi.export.Models;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Disks that are full, and targets on another disk than their source.
///
/// A disk of its own is a tmpfs that the child mounts where nobody else sees it, which needs no root where the system
/// lets a user have namespaces. Where it does not, the largest file that the child may write stands for the disk.
class DiskTest {
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    /// What 64 tensors of 2 MiB and the margin an export asks for need, and little more: to fill the rest takes a
    /// fraction of the time that writing them does.
    private static final int ALMOST_FULL_MEBIBYTES = 128 + 16 + 6;

    @TempDir
    Path scratch;

    private Path source;
    private Path disk;
    private SortedMap<String, ByteBuffer> before;
    private Path elsewhere;

    @BeforeEach
    void makeSource() throws IOException {
        source = Models.write(scratch.resolve("source"), 16, 1 << 20);
        disk = Files.createDirectory(scratch.resolve("disk"));
        before = Models.contents(source);
        elsewhere = Files.isWritable(SHARED_MEMORY)
                ? Files.createTempDirectory(SHARED_MEMORY, "kintsugi-test")
                : Files.createDirectory(scratch.resolve("elsewhere"));
    }

    @AfterEach
    void removeElsewhere() throws IOException, InterruptedException {
        assertEquals(
                0, new ProcessBuilder("rm", "-rf", elsewhere.toString()).start().waitFor());
        assertEquals(before, Models.contents(source), "the source was touched");
    }

    /// A process that ended: its status, what it said, and what it left on its disk.
    private record Ended(int status, String said, List<String> left) {}

    private static boolean mayMount() throws IOException, InterruptedException {
        return new ProcessBuilder("unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt")
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor()
                == 0;
    }

    /// Runs `command` where `disk` is a tmpfs of `mebibytes`.
    private Ended onItsDisk(int mebibytes, List<String> command) throws IOException, InterruptedException {
        String script = "mount -t tmpfs -o size=" + mebibytes
                + "m tmpfs \"$0\" && { \"$@\"; status=$?; echo; echo left; ls -A \"$0\"; exit" + " $status; }";
        List<String> all = new ArrayList<>(List.of("unshare", "-rm", "sh", "-c", script, disk.toString()));
        all.addAll(command);
        return ended(all);
    }

    private Ended ended(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        List<String> lines = said.lines().toList();
        int mark = lines.lastIndexOf("left");
        return new Ended(status, said, mark < 0 ? Models.names(disk) : lines.subList(mark + 1, lines.size()));
    }

    private ChildJvm child() {
        return new ChildJvm(scratch).with("-XX:-UsePerfData");
    }

    @DisplayName(
            "I-10 a disk that fills up during an export ends it with status 5, and nothing but what filled it is left")
    @Test
    void aDiskThatFillsUpEndsTheExport() throws IOException, InterruptedException {
        Path large = Models.write(scratch.resolve("large"), 64, 1 << 20);
        Path target = disk.resolve("deep/out");
        List<String> command = child().command(
                        ChildShell.class.getName(),
                        disk.resolve("filler").toString(),
                        "fill",
                        disk.resolve("deep/.out.kintsugi-part").toString(),
                        "open " + large + " --as m",
                        "export m " + target + " --keys as-is --threads 2");
        boolean mounted = mayMount();
        Ended ended = mounted ? onItsDisk(ALMOST_FULL_MEBIBYTES, command) : ended(underALimit(large, target));
        assertEquals(5, ended.status(), ended.said());
        assertTrue(ended.said().contains(mounted ? "error[K5001]" : "error[K5002]"), ended.said());
        assertFalse(
                mounted && !ended.said().matches("(?s).*the output needs [0-9,]+ bytes in all, [0-9,]+ are free.*"),
                ended.said());
        assertFalse(ended.said().contains("Exception"), ended.said());
        assertEquals(mounted ? List.of("filler") : List.of(), ended.left());
    }

    private List<String> underALimit(Path from, Path target) {
        List<String> command = new ArrayList<>(List.of("sh", "-c", "ulimit -f 4000; exec \"$@\"", "sh"));
        command.addAll(child().command(
                        Main.class.getName(), "-c", "open " + from + " --as m; export m " + target + " --keys as-is"));
        return command;
    }

    @DisplayName("I-10 a full disk keeps nobody from working, and leaves the workspace as it was saved")
    @Test
    void aFullDiskLeavesTheWorkspaceAsItWas() throws IOException, InterruptedException {
        Path workspace = disk.resolve("w");
        List<String> save = child().command(Main.class.getName(), "-c", "alias a=tensors; workspace save " + workspace);
        List<String> change =
                child().command(Main.class.getName(), "--workspace=" + workspace, "-c", "alias b=info; version");
        boolean mounted = mayMount();
        String script = (mounted ? "mount -t tmpfs -o size=2m tmpfs \"$0\" || exit 9; " : "")
                + quoted(save) + " && cp \"$0\"/w/workspace.json " + scratch + "/saved || exit 8; "
                + (mounted ? "cat /dev/zero > \"$0\"/filler; " : "ulimit -f 0; ")
                + quoted(change) + " && cmp " + scratch + "/saved \"$0\"/w/workspace.json; status=$?; "
                + "echo left; ls -A \"$0\"/w; exit $status";
        List<String> command = new ArrayList<>(mounted ? List.of("unshare", "-rm") : List.of());
        command.addAll(List.of("sh", "-c", script, disk.toString()));
        Ended ended = ended(command);
        assertEquals(0, ended.status(), ended.said());
        assertTrue(ended.said().contains("the workspace is not saved: "), ended.said());
        assertFalse(ended.left().contains("workspace.json.part"), ended.said());
    }

    private static String quoted(List<String> words) {
        return "'" + String.join("' '", words) + "'";
    }

    @DisplayName("I-07 a target that is a mount point is refused before anything is written")
    @Test
    void aTargetThatIsAMountPointIsRefused() throws IOException, InterruptedException {
        List<String> command = child().command(
                        Main.class.getName(), "-c", "open " + source + " --as m; export m " + disk + " --keys as-is");
        if (!mayMount()) {
            assertEquals(0, ended(command).status());
            return;
        }
        Ended ended = onItsDisk(64, command);
        assertEquals(5, ended.status(), ended.said());
        assertTrue(ended.said().contains("mount point"), ended.said());
        assertEquals(List.of("disk", "source"), Models.names(scratch));
    }

    @DisplayName("I-10 the target may be on another disk than its source: same bytes, swapped whole, nothing left over")
    @Test
    void aTargetOnAnotherDiskIsAsGood() throws IOException {
        Path target = elsewhere.resolve("out");
        Path near = scratch.resolve("near");
        String open = "open " + source + " --as m; ";
        assertEquals(0, run(open + "export m " + near + " --keys as-is --max-shard-size 9MB"));
        assertEquals(0, run(open + "export m " + target + " --keys as-is --max-shard-size 9MB"));
        assertEquals(Models.contents(near), Models.contents(target));
        assertEquals(4, run(open + "export m " + target + " --keys as-is"), "it exists");
        assertEquals(Models.contents(near), Models.contents(target));
        assertEquals(0, run(open + "export m " + target + " --keys as-is --replace"));
        assertEquals(
                Models.contents(source).get("model.safetensors"),
                Models.contents(target).get("model.safetensors"));
        assertEquals(List.of("out"), Models.names(elsewhere));
        assertEquals(0, run("open " + target + " --as m; export m " + scratch.resolve("back") + " --keys as-is"));
        assertEquals(Models.contents(target), Models.contents(scratch.resolve("back")));
    }

    private int run(String line) {
        Console console = new Console(
                new PrintWriter(Writer.nullWriter()), new PrintWriter(Writer.nullWriter()), false, false, 100);
        try (Shell shell = Shell.on(console)) {
            return shell.run(line).exitCode();
        }
    }
}
