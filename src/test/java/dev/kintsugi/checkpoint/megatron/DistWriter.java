package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.checkpoint.megatron.RandomModel.Piece;
import dev.kintsugi.checkpoint.megatron.RandomModel.Split;
import dev.kintsugi.checkpoint.megatron.TorchWriter.Built;
import dev.kintsugi.checkpoint.megatron.TorchWriter.Global;
import dev.kintsugi.checkpoint.megatron.TorchWriter.Values;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Writes a `torch_dist` checkpoint, its chunks in random order over random files.
final class DistWriter {
    /// How layers are kept apart.
    enum Form {
        STACKED,
        PER_LAYER,
        SINGLETON
    }

    private static final Pattern EXPERT = Pattern.compile("mlp\\.experts\\.experts\\.(\\d+)\\.(.*)");
    private static final String METADATA = "torch.distributed.checkpoint.metadata";

    @SuppressWarnings("ArrayRecordComponent")
    record Chunk(int[] offset, int[] shape, short[] elements) {}

    @SuppressWarnings("ArrayRecordComponent")
    record Entry(int[] shape, List<Chunk> chunks) {}

    private final RandomModel model;
    private final Form form;
    private final int etp;
    private final Random random;
    /// What is written, by key; a test may spoil it.
    final Map<String, Entry> entries = new LinkedHashMap<>();
    /// Entries that are no tensors, by key.
    final List<String> objects = new ArrayList<>();
    /// The whole shapes of what is flattened, by key.
    private final Map<String, int[]> flattened = new LinkedHashMap<>();

    DistWriter(RandomModel model, Form form, int etp, Random random) {
        this.model = model;
        this.form = form;
        this.etp = etp;
        this.random = random;
        for (Piece piece : model.outside) {
            if (!(model.tied && piece.name().startsWith("output_layer"))) {
                add(piece.name(), new int[0], new int[0], piece, model.tp);
            }
        }
        for (int layer = 0; layer < model.layers; layer++) {
            for (Piece piece : model.inLayers.get(layer)) {
                inLayer(layer, piece);
            }
        }
    }

    /// Makes one chunk of all layers of a tensor that ranks do not split, as another planner might.
    void mergeLayers() {
        entries.replaceAll((name, entry) -> {
            int[] layer = Arrays.copyOfRange(entry.shape(), 1, entry.shape().length);
            boolean stack = name.startsWith("decoder.layers.") && form == Form.STACKED && !name.contains("experts");
            if (!stack
                    || !entry.chunks().stream().allMatch(c -> Arrays.equals(append(new int[] {1}, layer), c.shape()))) {
                return entry;
            }
            short[] all = new short[0];
            for (Chunk chunk : entry.chunks()) {
                int at = all.length;
                all = Arrays.copyOf(all, at + chunk.elements().length);
                System.arraycopy(chunk.elements(), 0, all, at, chunk.elements().length);
            }
            return new Entry(
                    entry.shape(),
                    new ArrayList<>(List.of(new Chunk(new int[entry.shape().length], entry.shape(), all))));
        });
    }

    /// Adds an optimizer whose `exp_avg` is the weight itself, one of experts behind `chained_1.` if `chained`.
    void addOptimizer(boolean chained) {
        Map<String, Entry> states = new LinkedHashMap<>();
        entries.forEach((name, entry) -> {
            String prefix = chained ? "chained_" + (name.contains("mlp.experts.") ? 1 : 0) + "." : "";
            states.put(
                    prefix + "optimizer.state.exp_avg." + name,
                    new Entry(entry.shape(), new ArrayList<>(entry.chunks())));
        });
        entries.putAll(states);
    }

    /// The same as `fully_sharded_model_space` has it: each chunk flattened and dealt out in runs to data-parallel
    /// ranks; the master beside it.
    void addFlattenedOptimizer() {
        Map<String, Entry> states = new LinkedHashMap<>();
        entries.forEach((name, entry) -> {
            for (String state : List.of("exp_avg", "fp32_param")) {
                states.put(
                        "optimizer.state." + state + "." + name,
                        flattened("optimizer.state." + state + "." + name, entry));
            }
        });
        entries.putAll(states);
    }

    private Entry flattened(String name, Entry entry) {
        int ndim = entry.shape().length;
        int[] piece = entry.chunks().getFirst().shape();
        int[] cells = new int[ndim + 1];
        for (int dim = 0; dim < ndim; dim++) {
            cells[dim] = entry.shape()[dim] / piece[dim];
        }
        int length = entry.chunks().getFirst().elements().length;
        cells[ndim] = length;
        List<Chunk> chunks = new ArrayList<>();
        for (Chunk chunk : entry.chunks()) {
            int from = 0;
            while (from < length) {
                int to = from + 1 + random.nextInt(length - from);
                int[] offset = new int[ndim + 1];
                int[] shape = new int[ndim + 1];
                for (int dim = 0; dim < ndim; dim++) {
                    offset[dim] = chunk.offset()[dim] / piece[dim];
                    shape[dim] = 1;
                }
                offset[ndim] = from;
                shape[ndim] = to - from;
                chunks.add(new Chunk(offset, shape, Arrays.copyOfRange(chunk.elements(), from, to)));
                from = to;
            }
        }
        flattened.put(name, entry.shape());
        return new Entry(cells, chunks);
    }

    void write(Path directory) throws IOException {
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("metadata.json"), "{\"sharded_backend\": \"torch_dist\"}");
        Files.write(directory.resolve(".metadata"), TorchWriter.pickle(save(directory)));
    }

    private void inLayer(int layer, Piece piece) {
        boolean stacked = form == Form.STACKED;
        String prefix = "decoder.layers." + (stacked ? "" : layer + ".");
        int[] index = stacked ? new int[] {layer} : new int[0];
        int[] extent = stacked ? new int[] {model.layers} : new int[0];
        Matcher expert = EXPERT.matcher(piece.name());
        if (!expert.matches() || form == Form.SINGLETON) {
            add(prefix + piece.name(), index, extent, piece, expert.matches() ? etp : model.tp);
            return;
        }
        int[] both = append(index, Integer.parseInt(expert.group(1)));
        add(prefix + "mlp.experts.experts." + expert.group(2), both, append(extent, model.experts), piece, etp);
    }

    private void add(String name, int[] index, int[] extent, Piece piece, int ways) {
        Matrix whole = piece.matrix();
        if (piece.split() == Split.GATE_UP && form == Form.SINGLETON) {
            int half = whole.rows() / 2;
            for (int rank = 0; rank < ways; rank++) {
                chunk(name + "_w", index, extent, whole.rows(0, half), piece.gate(rank, ways), rank * half / ways, 0);
                chunk(name + "_v", index, extent, whole.rows(half, half), piece.up(rank, ways), rank * half / ways, 0);
            }
            return;
        }
        if (piece.split() == Split.SAME) {
            chunk(name, index, extent, whole, whole, 0, 0);
            return;
        }
        for (int rank = 0; rank < ways; rank++) {
            int half = whole.rows() / 2;
            switch (piece.split()) {
                case ROWS -> chunk(name, index, extent, whole, piece.local(rank, ways), rank * whole.rows() / ways, 0);
                case COLUMNS ->
                    chunk(name, index, extent, whole, piece.local(rank, ways), 0, rank * whole.columns() / ways);
                case GATE_UP -> {
                    chunk(name, index, extent, whole, piece.gate(rank, ways), rank * half / ways, 0);
                    chunk(name, index, extent, whole, piece.up(rank, ways), half + rank * half / ways, 0);
                }
                case SAME -> throw new IllegalStateException();
            }
        }
    }

    private void chunk(String name, int[] index, int[] extent, Matrix whole, Matrix local, int row, int column) {
        int[] ones = new int[index.length];
        Arrays.fill(ones, 1);
        int[] place = whole.columns() == 0 ? new int[] {row} : new int[] {row, column};
        entries.computeIfAbsent(name, n -> new Entry(append(extent, whole.shape()), new ArrayList<>()))
                .chunks()
                .add(new Chunk(append(index, place), append(ones, local.shape()), local.elements()));
    }

    private static int[] append(int[] front, int... back) {
        int[] all = Arrays.copyOf(front, front.length + back.length);
        System.arraycopy(back, 0, all, front.length, back.length);
        return all;
    }

    private Built save(Path directory) throws IOException {
        Map<String, ByteArrayOutputStream> files = new LinkedHashMap<>();
        Map<Object, Object> described = new LinkedHashMap<>();
        Map<Object, Object> stored = new LinkedHashMap<>();
        List<String> names = new ArrayList<>(entries.keySet());
        Collections.shuffle(names, random);
        for (String name : names) {
            Entry entry = entries.get(name);
            Collections.shuffle(entry.chunks(), random);
            List<Object> chunks = new ArrayList<>();
            for (Chunk chunk : entry.chunks()) {
                chunks.add(object(
                        "ChunkStorageMetadata",
                        Map.of("offsets", TorchWriter.size(chunk.offset()), "sizes", TorchWriter.size(chunk.shape()))));
                String file = "__" + random.nextInt(4) + "_" + random.nextInt(2) + ".distcp";
                ByteArrayOutputStream bytes = files.computeIfAbsent(file, f -> new ByteArrayOutputStream());
                byte[] saved = TorchWriter.save(new Values(chunk.shape(), chunk.elements()));
                Map<String, Object> index = new LinkedHashMap<>();
                index.put("fqn", name);
                index.put("index", null);
                index.put("offset", TorchWriter.size(chunk.offset()));
                stored.put(
                        object("MetadataIndex", index),
                        new Built(
                                new Global("torch.distributed.checkpoint.filesystem", "_StorageInfo"),
                                Map.of("relative_path", file, "offset", bytes.size(), "length", saved.length)));
                bytes.writeBytes(saved);
            }
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("properties", object("TensorProperties", new Object[] {
                new Global("torch", "bfloat16"), null, false, null, false
            }));
            fields.put("size", TorchWriter.size(entry.shape()));
            fields.put("chunks", chunks);
            described.put(name, object("TensorStorageMetadata", fields));
        }
        objects.forEach(o -> described.put(o, object("BytesStorageMetadata", new LinkedHashMap<>())));
        described.put("decoder.layers._extra_state/shard_0_1", object("BytesStorageMetadata", new LinkedHashMap<>()));
        for (Map.Entry<String, ByteArrayOutputStream> file : files.entrySet()) {
            Files.write(directory.resolve(file.getKey()), file.getValue().toByteArray());
        }
        Files.write(directory.resolve("common.pt"), TorchWriter.save(Map.of("iteration", 7)));
        Files.writeString(directory.resolve("notes"), "not part of it", StandardCharsets.UTF_8);
        Map<Object, Object> more = new LinkedHashMap<>();
        entries.keySet().forEach(n -> more.put(n, new LinkedHashMap<>()));
        flattened.forEach(
                (n, shape) -> more.put(n, Map.of("nd_reformulated_orig_global_shape", TorchWriter.size(shape))));
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("state_dict_metadata", described);
        metadata.put("storage_data", stored);
        if (!flattened.isEmpty()) {
            metadata.put("mcore_data", more);
        }
        return object("Metadata", metadata);
    }

    private static Built object(String name, Object state) {
        return new Built(new Global(METADATA, name), state);
    }
}
