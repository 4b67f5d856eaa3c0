package dev.kintsugi.checkpoint.huggingface;

import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.safetensors.StoredTensor;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Tensor;
import java.nio.file.Path;
import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The layouts of tensors that lie whole in their files. Each is made when it is asked for: a file may have a
/// million tensors, and few of them are looked at.
final class WholeLayouts extends AbstractMap<String, Layout> {
    private final Map<String, Tensor> tensors;

    WholeLayouts(Map<String, Tensor> tensors) {
        this.tensors = tensors;
    }

    private static Layout layout(String name, Tensor tensor) {
        if (!(tensor instanceof StoredTensor stored) || !(stored.file() instanceof MappedFile file)) {
            throw new IllegalStateException(name + " is in no file");
        }
        Path path = file.path();
        Region all = Region.whole(stored.spec().shape());
        Piece piece = new Piece(-1, path, "", stored.byteOffset(), all, 0, false);
        return new Layout(name, "whole", stored.spec(), List.of(), List.of(), List.of(piece));
    }

    @Override
    public @Nullable Layout get(@Nullable Object name) {
        Tensor tensor = tensors.get(name);
        return tensor == null ? null : layout(String.valueOf(name), tensor);
    }

    @Override
    public boolean containsKey(@Nullable Object name) {
        return tensors.containsKey(name);
    }

    @Override
    public Set<Map.Entry<String, Layout>> entrySet() {
        return new AbstractSet<>() {
            @Override
            public Iterator<Map.Entry<String, Layout>> iterator() {
                return tensors.entrySet().stream()
                        .map(e -> Map.entry(e.getKey(), layout(e.getKey(), e.getValue())))
                        .iterator();
            }

            @Override
            public int size() {
                return tensors.size();
            }
        };
    }
}
