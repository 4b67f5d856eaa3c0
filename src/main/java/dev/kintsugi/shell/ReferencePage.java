package dev.kintsugi.shell;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/// The pages of `docs/reference` that the program shows.
final class ReferencePage {
    private ReferencePage() {}

    /// The whole of the page `name`.
    static String text(String name) {
        try (InputStream stream = ReferencePage.class.getResourceAsStream(name)) {
            return new String(Objects.requireNonNull(stream).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
