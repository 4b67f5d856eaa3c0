package dev.kintsugi.checkpoint;

import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The training step that the name of a directory ends with: 12 of `global_step12`, `checkpoint-12`,
/// `global_step_12`, `iter_0000012` and `global_step12_universal`.
public final class TrainingStep {
    private static final Pattern NAME = Pattern.compile(".*?(\\d{1,18})(?:_universal)?");

    private TrainingStep() {}

    /// The step `directory` is named by, if it is.
    public static OptionalLong of(Path directory) {
        Matcher matcher = NAME.matcher(String.valueOf(directory.getFileName()));
        return matcher.matches() ? OptionalLong.of(Long.parseLong(matcher.group(1))) : OptionalLong.empty();
    }

    /// Whether `directory`, or one it lies in below `root`, is named by `step`.
    public static boolean isNamedBy(Path directory, Path root, long step) {
        for (Path at = directory; at != null && !at.equals(root); at = at.getParent()) {
            OptionalLong named = of(at);
            if (named.isPresent() && named.getAsLong() == step) {
                return true;
            }
        }
        return false;
    }
}
