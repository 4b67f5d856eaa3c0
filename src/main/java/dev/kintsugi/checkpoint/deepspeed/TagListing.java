package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.Piece;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.io.MappedFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/// The files of a tag as `shards` shows them, with how many tensors of the model lie in each.
record TagListing(TagStates tag, MappedFiles mapped) {
    List<ShardFile> files(Map<String, Layout> layouts) {
        Map<Path, Set<String>> tensors = new HashMap<>();
        layouts.forEach((name, layout) -> {
            for (Piece piece : layout.pieces()) {
                tensors.computeIfAbsent(piece.file(), f -> new HashSet<>()).add(name);
            }
        });
        List<ShardFile> files = new ArrayList<>();
        TagFiles entries = tag.files();
        entries.wholeModel().ifPresent(p -> files.add(file(p, OptionalInt.empty(), tensors)));
        entries.model().forEach((rank, path) -> files.add(file(path, OptionalInt.of(rank), tensors)));
        int worldSize = tag.optimizers().map(ZeroRanks::worldSize).orElse(0);
        for (int rank = 0; rank < worldSize; rank++) {
            Path path = entries.optimizer().get(rank);
            if (path == null) {
                Path example = entries.optimizer().firstEntry().getValue();
                String name = String.valueOf(example.getFileName()).replaceFirst("pp_rank_\\d+", "pp_rank_" + rank);
                files.add(new ShardFile(example.resolveSibling(name), OptionalInt.of(rank), 0, 0, 0, "missing"));
            } else {
                files.add(file(path, OptionalInt.of(rank), tensors));
            }
        }
        if (entries.universal().isPresent()) {
            tensors.keySet().stream()
                    .filter(p -> p.startsWith(entries.universal().get()))
                    .sorted()
                    .forEach(p -> files.add(file(p, OptionalInt.empty(), tensors)));
        }
        return files;
    }

    private ShardFile file(Path path, OptionalInt rank, Map<Path, Set<String>> tensors) {
        if (tag.damaged().containsKey(path)) {
            return new ShardFile(path, rank, 0, 0, 0, "damaged");
        }
        MappedFile file = mapped.open(path);
        int count = tensors.getOrDefault(path, Set.of()).size();
        return new ShardFile(path, rank, count, file.byteCount(), file.modifiedMillis(), "ok");
    }
}
