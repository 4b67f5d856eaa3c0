package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.fault.Status;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RankViewLookTest {
    @TempDir
    Path home;

    /// Every command that looks at a model looks at a rank view.
    @ParameterizedTest
    @ValueSource(
            strings = {
                "show r@1 model.norm.weight",
                "stats r@1",
                "hist r@1 model.norm.weight",
                "heat r@1 model.layers.0.mlp.up_proj.weight",
                "tree r@1",
                "tensors r@1",
                "info r@1",
                "shards r@1",
                "mesh r@1",
                "placements r@1",
                "explain r@1",
                "explain r@1 model.norm.weight",
                "diff r@0 r@2",
                "diff r@0 r@2 --summary",
                "validate r@1 --data",
                "use r@1; tensors"
            })
    void looksAtARankView(String line) {
        try (Typescript shell = new Typescript(home)) {
            shell.run("open src/test/resources/fsdp/hsdp_2x2/ckpt --as r");
            assertEquals(Status.DONE, shell.run(line), () -> shell.take(home));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"show r@9 model.norm.weight", "stats r@9", "tree r@9", "explain r@9", "diff r@0 r@9"})
    void namesTheRanksThereAre(String line) {
        try (Typescript shell = new Typescript(home)) {
            shell.run("open src/test/resources/fsdp/hsdp_2x2/ckpt --as r");
            shell.take(home);
            shell.run(line);
            assertEquals(
                    List.of(
                            "> " + line,
                            "error[K1004]: r has no rank 9",
                            "  why: its ranks are 0-3",
                            "  try: name one of them, as in r@0, or all: r@*"),
                    shell.take(home).lines().toList());
        }
    }
}
