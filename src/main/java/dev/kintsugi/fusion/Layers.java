package dev.kintsugi.fusion;

import java.util.Collection;
import java.util.OptionalInt;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Finds the layer a tensor belongs to in its name.
final class Layers {
    private static final Pattern LAYER =
            Pattern.compile("(?:^|\\.)(?:layers|layer|h|blocks|block)\\.(\\d{1,6})(?=\\.)");

    private Layers() {}

    /// The number of the layer `name` belongs to, if it belongs to one.
    static OptionalInt layer(String name) {
        Matcher matcher = LAYER.matcher(name);
        return matcher.find() ? OptionalInt.of(Integer.parseInt(matcher.group(1))) : OptionalInt.empty();
    }

    /// The name of the same tensor in layer `layer`.
    static String inLayer(String name, int layer) {
        Matcher matcher = LAYER.matcher(name);
        if (!matcher.find()) {
            return name;
        }
        return name.substring(0, matcher.start(1)) + layer + name.substring(matcher.end(1));
    }

    /// How many layers `names` speak of.
    static int count(Collection<String> names) {
        int count = 0;
        for (String name : names) {
            count = Math.max(count, layer(name).orElse(-1) + 1);
        }
        return count;
    }

    /// Whether a tensor outside the layers comes before them.
    static boolean isEmbedding(String name) {
        return name.contains("embed") || name.contains("wte") || name.contains("wpe");
    }

    /// The place of a tensor among `count` layers: 0 for the first, 1 for the last or only one, 0 outside of
    /// them.
    static ToDoubleFunction<String> positions(int count) {
        return name -> {
            OptionalInt layer = layer(name);
            if (layer.isEmpty()) {
                return 0;
            }
            return count <= 1 ? 1 : (double) layer.getAsInt() / (count - 1);
        };
    }
}
