package dev.kintsugi.shell;

import java.nio.file.Path;
import java.util.Collection;
import java.util.Optional;

/// Names that tell the files of a checkpoint apart: the last part of their paths, or all below the directory that
/// holds every one of them where several files have one name.
final class FileNames {
    private final Optional<Path> root;

    private FileNames(Optional<Path> root) {
        this.root = root;
    }

    static FileNames of(Collection<Path> files) {
        long names = files.stream().map(Path::getFileName).distinct().count();
        return new FileNames(
                names == files.stream().distinct().count()
                        ? Optional.empty()
                        : files.stream().map(FileNames::directory).reduce(FileNames::common));
    }

    String of(Path file) {
        return root.filter(file::startsWith)
                .map(r -> r.relativize(file).toString())
                .orElseGet(() -> String.valueOf(file.getFileName()));
    }

    private static Path directory(Path file) {
        return Optional.ofNullable(file.getParent()).orElse(Path.of(""));
    }

    private static Path common(Path a, Path b) {
        Path common = a;
        while (!b.startsWith(common)) {
            common = directory(common);
        }
        return common;
    }
}
