package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WorkspaceTest {
    @TempDir
    Path home;

    @Test
    void dump() throws IOException {
        Fixtures.copy("fsdp/fsdp2_4/ckpt", home.resolve("actor"));
        Fixtures.copy("fsdp/hsdp_2x2/ckpt", home.resolve("base"));
        try (Transcript t = new Transcript(home)) {
            t.run("workspace");
            t.run("workspace list");
            t.run("workspace open");
            t.run("workspace save");
            t.run("open " + home.resolve("actor") + " --as actor --sidecars " + home.resolve("actor/huggingface"));
            t.run("workspace save " + home.resolve("ws"));
            t.run("open " + home.resolve("base") + "; use base; set threads 2; alias ll='tensors --all'");
            t.run("alias");
            t.run("ll **.norm.weight");
            t.run("workspace");
            t.run("workspace list --format csv");
            t.run("workspace recipe " + home.resolve("again.rsh"));
            t.run("workspace recipe " + home.resolve("again.rsh"));
            t.run("workspace opn");
            System.out.println(t.take(home));
            System.out.println(Files.readString(home.resolve("again.rsh")));
            System.out.println(Files.readString(home.resolve("ws/workspace.json")));
            System.out.println(Files.readString(home.resolve("ws/journal")));
        }
        Files.delete(home.resolve("actor/model_world_size_4_rank_2.pt"));
        Files.writeString(home.resolve("base/huggingface/config.json"), Files.readString(home.resolve("base/huggingface/config.json")) + "\n");
        try (Transcript t = new Transcript(home)) {
            t.run("workspace list --format csv");
            t.run("workspace open " + home.resolve("ws"));
            t.run("workspace");
            t.run("models");
            for (int i = 0; i < 6; i++) t.run("undo; models");
            System.out.println(t.take(home));
        }
    }
}
