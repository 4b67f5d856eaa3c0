package dev.kintsugi.fusion;

import dev.kintsugi.tensor.TensorSpec;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Finds the layer a tensor belongs to in its name.
///
/// A model may have several stacks of layers, such as a language model and what sees for it. The main stack is
/// the language model's; the others are towers, or predict further tokens.
final class Layers {
    private static final Pattern LAYER =
            Pattern.compile("(?:^|\\.)(?:layers|layer|h|blocks|block)\\.(\\d{1,6})(?=\\.)");

    private static final Pattern TOWER =
            Pattern.compile("(?:^|.*\\.)[^.]*(?:visual|vision|image|audio)[^.]*(?:\\..*|$)");
    private static final Pattern PREDICTOR = Pattern.compile("(?:.*\\.)?mtp\\..*");
    private static final Pattern VOCABULARY = Pattern.compile(
            "(?:.*\\.)?(?:embed_tokens|wte|word_embeddings|embed_in|lm_head|embed_out)\\.(?:weight|bias)");
    private static final Pattern EMBEDDING =
            Pattern.compile("(?:.*\\.)?(?:embed_tokens|wte|word_embeddings|embed_in)\\.weight");

    private Layers() {}

    /// The number of the layer `name` belongs to, if it belongs to one, of whatever stack.
    static OptionalInt layer(String name) {
        Matcher matcher = LAYER.matcher(name);
        return matcher.find() ? OptionalInt.of(Integer.parseInt(matcher.group(1))) : OptionalInt.empty();
    }

    /// The number of the layer of the main stack `name` belongs to, if it belongs to one.
    static OptionalInt mainLayer(String name) {
        return isTower(name) || PREDICTOR.matcher(name).matches() ? OptionalInt.empty() : layer(name);
    }

    /// Whether a tensor is of what sees or hears for the language model.
    static boolean isTower(String name) {
        return TOWER.matcher(name).matches();
    }

    /// The name of the same tensor in layer `layer`.
    static String inLayer(String name, int layer) {
        Matcher matcher = LAYER.matcher(name);
        if (!matcher.find()) {
            return name;
        }
        return name.substring(0, matcher.start(1)) + layer + name.substring(matcher.end(1));
    }

    /// How many layers the main stack of `names` has.
    static int count(Collection<String> names) {
        int count = 0;
        for (String name : names) {
            count = Math.max(count, mainLayer(name).orElse(-1) + 1);
        }
        return count;
    }

    /// Whether a tensor outside the layers comes before them.
    static boolean isEmbedding(String name) {
        return name.contains("embed") || name.contains("wte") || name.contains("wpe") || isTower(name);
    }

    /// Whether a tensor has a row for each token: an embedding or a head.
    static boolean isVocabulary(String name, TensorSpec spec) {
        return VOCABULARY.matcher(name).matches()
                && !isTower(name)
                && spec.shape().ndim() > 0
                && (spec.shape().ndim() == 2 || name.endsWith(".bias"));
    }

    /// Whether a tensor has the embeddings of the tokens that go in.
    static boolean isTokenEmbedding(String name, TensorSpec spec) {
        return EMBEDDING.matcher(name).matches() && isVocabulary(name, spec);
    }

    /// The place of a tensor among the layers of its own stack: 0 for the first, 1 for the last or only one, 0
    /// outside of them.
    static ToDoubleFunction<String> positions(Collection<String> names) {
        Map<String, Integer> counts = new HashMap<>();
        for (String name : names) {
            layer(name).ifPresent(layer -> counts.merge(stack(name), layer + 1, Math::max));
        }
        return name -> {
            OptionalInt layer = layer(name);
            int count = counts.getOrDefault(stack(name), 0);
            if (layer.isEmpty()) {
                return 0;
            }
            return count <= 1 ? 1 : (double) layer.getAsInt() / (count - 1);
        };
    }

    /// What stands before the number of the layer.
    private static String stack(String name) {
        Matcher matcher = LAYER.matcher(name);
        return matcher.find() ? name.substring(0, matcher.start(1)) : "";
    }
}
