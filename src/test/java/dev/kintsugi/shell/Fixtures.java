package dev.kintsugi.shell;

import dev.kintsugi.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// Copies of fixtures that a test may damage.
final class Fixtures {
    private Fixtures() {}

    static void copy(String resource, Path target) throws IOException {
        Path source = Golden.resource(resource);
        List<Path> all;
        try (Stream<Path> walk = Files.walk(source)) {
            all = walk.toList();
        }
        for (Path path : all) {
            Path to = target.resolve(source.relativize(path).toString());
            if (Files.isDirectory(path)) {
                Files.createDirectories(to);
            } else {
                Files.copy(path, to);
            }
        }
    }
}
