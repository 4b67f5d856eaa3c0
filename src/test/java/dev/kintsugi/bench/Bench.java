package dev.kintsugi.bench;

import java.io.IOException;
import java.nio.file.Path;

/// Entry of `scripts/bench`.
public final class Bench {
    private Bench() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        SampleModels.fsdp(Path.of(arguments[0]), Integer.parseInt(arguments[1]), SampleModels.Sharding.valueOf(arguments[2]));
    }
}
