package dev.kintsugi.shell;

import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.AtomicFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/// The file of lines typed before: a line each, behind the time in milliseconds and a colon.
final class HistoryFile {
    private static final Pattern LINE = Pattern.compile("-?\\d{1,18}:.*", Pattern.DOTALL);

    private HistoryFile() {}

    /// The history in `directory`, for JLine to read and write; none if there can be none.
    ///
    /// A file that is no history, or beyond the limit, is put aside, for what is typed is to be kept.
    static Optional<Path> in(Path directory, Console console) {
        Path file = directory.resolve("history");
        try {
            Files.createDirectories(directory);
            if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
                return Optional.of(file);
            }
            if (!Files.isRegularFile(file)) {
                console.warn(file + " is no regular file: what is typed is not kept");
                return Optional.empty();
            }
            if (Files.size(file) > Limit.WORKSPACE_BYTES.value() || !isHistory(file)) {
                console.warn(file + " is no history, or beyond the limit; it is kept as " + AtomicFile.putAside(file));
            }
            return Optional.of(file);
        } catch (IOException e) {
            console.warn(file + " cannot be read or written: what is typed is not kept");
            return Optional.empty();
        }
    }

    private static boolean isHistory(Path file) throws IOException {
        try (BufferedReader lines = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            return lines.lines().allMatch(l -> LINE.matcher(l).matches());
        } catch (CharacterCodingException | UncheckedIOException e) {
            return false;
        }
    }
}
