package dev.kintsugi.checkpoint.huggingface;

import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.safetensors.StoredTensor;
import dev.kintsugi.tensor.Named;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Tensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The layouts of tensors that lie whole in their files.
final class WholeLayouts {
    private WholeLayouts() {}

    static Map<String, Layout> of(Map<String, Tensor> tensors) {
        return new Named<>(tensors, name -> layout(name, tensors.get(name)));
    }

    private static Layout layout(String name, @Nullable Tensor tensor) {
        if (!(tensor instanceof StoredTensor stored) || !(stored.file() instanceof MappedFile file)) {
            throw new IllegalStateException(name + " is in no file");
        }
        Path path = file.path();
        Region all = Region.whole(stored.spec().shape());
        Piece piece = new Piece(-1, path, "", stored.byteOffset(), all, 0, false);
        return new Layout(name, "whole", stored.spec(), List.of(), List.of(), List.of(piece));
    }
}
