package dev.kintsugi.fuzz;

import dev.kintsugi.Golden;
import dev.kintsugi.SafetensorsBytes;
import dev.kintsugi.ZipBytes;
import dev.kintsugi.architecture.Config;
import dev.kintsugi.checkpoint.WeightIndex;
import dev.kintsugi.checkpoint.dcp.DcpMetadata;
import dev.kintsugi.fusion.MergeConfig;
import dev.kintsugi.io.ByteSource;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleMachine;
import dev.kintsugi.safetensors.SafetensorsFile;
import dev.kintsugi.shell.LineFuzz;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchStateDict;
import dev.kintsugi.torch.TorchValue;
import dev.kintsugi.zip.ZipArchive;
import dev.kintsugi.zip.ZipRecord;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Stream;

/// Everything that reads bytes of strangers, with seeds from real checkpoints.
public final class Targets {
    private static final int FILE_COST = 10;
    private static final int MAX_SEED_BYTES = 40_000;

    private final Path scratch;
    private final LineFuzz lines;

    /// Targets that put files into `scratch`.
    public Targets(Path scratch, LineFuzz lines) {
        this.scratch = scratch;
        this.lines = lines;
    }

    public List<Target> all() throws IOException {
        return List.of(
                pickle(),
                zip(),
                torch(),
                safetensors(),
                index(),
                dcp(),
                recipe(),
                line(),
                mergeConfig(),
                config(),
                workspace());
    }

    /// The target called `name`.
    public Target named(String name) throws IOException {
        List<Target> all = all();
        return all.stream()
                .filter(t -> t.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        name + " is none of " + all.stream().map(Target::name).toList()));
    }

    private static Target target(String name, int cost, List<byte[]> seeds, List<byte[]> words, Target.Reader reader)
            throws IOException {
        return new Target(name, cost, seeds, Kept.of(name), words, reader);
    }

    private static List<Path> fixtures(String ending, int count) throws IOException {
        List<Path> found = new ArrayList<>();
        for (String area : List.of("fsdp", "deepspeed", "megatron")) {
            try (Stream<Path> all = Files.walk(Golden.resource(area))) {
                List<Path> here = all.filter(p -> p.toString().endsWith(ending) && Files.isRegularFile(p))
                        .sorted()
                        .toList();
                for (int i = 0; i < here.size(); i += Math.max(1, here.size() / count)) {
                    found.add(here.get(i));
                }
            }
        }
        return found;
    }

    private static List<byte[]> read(List<Path> paths) throws IOException {
        List<byte[]> seeds = new ArrayList<>();
        for (Path path : paths) {
            if (Files.size(path) <= MAX_SEED_BYTES) {
                seeds.add(Files.readAllBytes(path));
            }
        }
        return seeds;
    }

    private static List<byte[]> words(String... words) {
        return Arrays.stream(words)
                .map(w -> w.getBytes(StandardCharsets.ISO_8859_1))
                .toList();
    }

    private static List<byte[]> opcodes() {
        List<byte[]> words = new ArrayList<>(words(
                "h\u0000",
                "q\u0000",
                "j\u0000\u0000\u0000\u0000",
                "(t",
                ")R",
                "}b",
                "]q\u0001h\u0001a",
                "\u0085",
                "\u0093",
                "cposix\nsystem\n",
                "ctorch._utils\n_rebuild_tensor_v2\n",
                "ctorch._utils\n_rebuild_parameter\n",
                "ccollections\nOrderedDict\n)R",
                "ctorch\nSize\n",
                "K\u0001",
                "\u008a\u0008\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007f",
                "N",
                "2",
                "0",
                "1",
                "s",
                "u",
                "a",
                "e",
                "Q",
                "\u0081",
                "\u0092",
                "\u0097",
                "S'x\\x41'\n",
                "V\\u1234\n",
                "F1e9\n",
                "I01\n",
                "p9\n",
                "g9\n",
                "."));
        return words;
    }

    private static Map<String, byte[]> records(Path path) throws IOException {
        ZipArchive archive = ZipArchive.open("seed", ByteSource.of(MemorySegment.ofArray(Files.readAllBytes(path))));
        Map<String, byte[]> records = new LinkedHashMap<>();
        for (ZipRecord record : archive.records().values()) {
            records.put(record.name(), archive.open(record).bytes(0, (int) record.byteCount()));
        }
        return records;
    }

    private static List<byte[]> pickles(List<Path> paths) throws IOException {
        List<byte[]> pickles = new ArrayList<>();
        for (Path path : paths) {
            for (Map.Entry<String, byte[]> record : records(path).entrySet()) {
                if (record.getKey().endsWith("data.pkl") && record.getValue().length <= MAX_SEED_BYTES) {
                    pickles.add(record.getValue());
                }
            }
        }
        return pickles;
    }

    private static Target pickle() throws IOException {
        List<byte[]> seeds = pickles(fixtures(".pt", 5));
        seeds.addAll(read(fixtures(".metadata", 3)));
        return target("pickle", 1, seeds, opcodes(), input -> PickleMachine.read("p", input));
    }

    private static Target zip() throws IOException {
        List<byte[]> seeds = read(fixtures(".pt", 8));
        seeds.add(new ZipBytes()
                .add(ZipBytes.deflated("a/data.pkl", new byte[5000]))
                .add(ZipBytes.stored("a/data/0", new byte[100]))
                .end());
        List<byte[]> words = words(
                "PK\u0001\u0002",
                "PK\u0003\u0004",
                "PK\u0005\u0006",
                "PK\u0006\u0006",
                "PK\u0006\u0007",
                "\u0001\u0000\u0010\u0000");
        return target("zip", 1, seeds, words, input -> {
            ByteSource source = ByteSource.of(MemorySegment.ofArray(input));
            ZipArchive archive = ZipArchive.open("z", source);
            for (ZipRecord record : archive.records().values()) {
                ByteSource bytes = archive.open(record);
                bytes.bytes(0, (int) Math.min(100, bytes.byteCount()));
            }
        });
    }

    /// The pickle of one real file, changed, within its own sound archive.
    private Target torch() throws IOException {
        Path smallest = smallest(fixtures(".pt", 100));
        Map<String, byte[]> storages = new LinkedHashMap<>();
        records(smallest).forEach((name, bytes) -> {
            if (name.contains("/data/")) {
                storages.put(name.substring(name.lastIndexOf('/') + 1), bytes);
            }
        });
        Object[] records = storages.entrySet().stream()
                .flatMap(e -> Stream.of(e.getKey(), e.getValue()))
                .toArray();
        return target("torch", FILE_COST, pickles(List.of(smallest)), opcodes(), input -> {
            Path file = Files.write(scratch.resolve("f.pt"), ZipBytes.torch(input, records));
            try (MappedFile mapped = MappedFile.open(file)) {
                TorchStateDict dict = TorchStateDict.read(TorchFile.open(mapped), OptionalInt.of(0));
                for (TorchValue value : dict.values().values()) {
                    if (value instanceof TorchValue.Plain plain) {
                        touch(plain.tensor());
                    }
                }
            }
        });
    }

    private static Path smallest(List<Path> paths) throws IOException {
        Path smallest = paths.getFirst();
        for (Path path : paths) {
            smallest = Files.size(path) < Files.size(smallest) ? path : smallest;
        }
        return smallest;
    }

    /// Reads the first and last elements.
    private static void touch(Tensor tensor) {
        long count = tensor.spec().elementCount();
        long some = Math.min(count, 100);
        MemorySegment block = MemorySegment.ofArray(new byte[800]);
        tensor.read(0, some, block.asSlice(0, some * tensor.spec().dtype().byteWidth()));
        tensor.read(
                count - some,
                some,
                block.asSlice(0, some * tensor.spec().dtype().byteWidth()));
    }

    private Target safetensors() throws IOException {
        List<byte[]> seeds = read(fixtures(".safetensors", 6));
        seeds.add(SafetensorsBytes.of(
                "{\"__metadata__\":{\"format\":\"pt\"}," + SafetensorsBytes.entry("a", "F32", "[2,3]", 0, 24) + ","
                        + SafetensorsBytes.entry("b", "U8", "[0]", 24, 24) + "}  ",
                24));
        List<byte[]> words = words(
                "\"",
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                "-1",
                "1e3",
                "9223372036854775807",
                "18446744073709551616",
                "null",
                "\\ud800",
                "\"dtype\":\"F33\"",
                "\"shape\":[]",
                "\"data_offsets\":[0,0]",
                "__metadata__",
                "[[[[[[[[",
                "\u00ff");
        return target("safetensors", FILE_COST, seeds, words, input -> {
            Path file = Files.write(scratch.resolve("f.safetensors"), input);
            try (MappedFile mapped = MappedFile.open(file)) {
                SafetensorsFile.open(mapped).tensors().values().forEach(Targets::touch);
            }
        });
    }

    private Target index() throws IOException {
        String seed = "{\"metadata\": {\"total_size\": 988097536}, \"weight_map\": {\"lm_head.weight\":"
            + " \"model-00001-of-00002.safetensors\", \"model.norm.weight\": \"model-00002-of-00002.safetensors\"}}";
        List<byte[]> words = words(
                "\"", "{", "}", "[", ",", ":", "../", "/", "\\\\", "\\u0000", "null", "1e999", "{{{{{{{{", "\u00ff");
        return target("index", FILE_COST, List.of(seed.getBytes(StandardCharsets.UTF_8)), words, input -> {
            Path file = Files.write(scratch.resolve("model.safetensors.index.json"), input);
            for (String name : WeightIndex.read(file).fileOfTensor().values()) {
                if (!scratch.equals(file.resolveSibling(name).normalize().getParent())) {
                    throw new AssertionError("an index led out of its directory: " + name);
                }
            }
        });
    }

    private static Target dcp() throws IOException {
        return target(
                "dcp", 1, read(fixtures(".metadata", 4)), opcodes(), input -> DcpMetadata.read(".metadata", input));
    }

    private Target recipe() throws IOException {
        String seed = """
            #!/usr/bin/env kintsugi
            param run = /data/run
            param step
            open $run/global_step_${step}/actor --as actor \\
                --mesh 2x4 --mesh-dim-names 'ddp,fsdp'
            validate actor --data # all of it
            export actor "${recipe_dir}/out dir" --max-shard-size 5GB; assert finite
            """;
        return target("recipe", 1, List.of(seed.getBytes(StandardCharsets.UTF_8)), lineWords(), lines::recipe);
    }

    private Target line() throws IOException {
        List<byte[]> seeds = words(
                "open runs/step_120/actor --as actor --mesh 2x4 --mesh-dim-names ddp,fsdp",
                "merge --backend fsdp --local_dir D --target_dir T --tie-word-embedding --is-value-model",
                "export actor 'out dir' --dtype bf16 --max-shard-size=5GB --replace; validate actor --data",
                "tensors actor 'model.layers.{8..15}.**' '!*.bias' dtype:bf16 size:>1g",
                "explain actor \"model.$name.weight\" --format json");
        return target("line", 1, seeds, lineWords(), lines::line);
    }

    /// A merge configuration, as mergekit writes them.
    private static Target mergeConfig() throws IOException {
        List<byte[]> seeds = words("""
            merge_method: ties
            base_model: runs/base
            dtype: bfloat16
            parameters:
              normalize: true
              weight:
                - filter: self_attn
                  value: [0, 0.5, 1]
                - value: 0.3
            models:
              - model: "a b"   # first
                parameters: {weight: 0.5, density: .inf}
              - model: 'c'
            """, """
            slices:
            - sources:
              - model: a
                layer_range: [0, 8]
            - sources: [{model: b, layer_range: [8, 16]}]
            merge_method: passthrough
            tokenizer_source: union
            ---
            merge_method: slerp
            """);
        List<byte[]> words = words(
                "- ",
                ": ",
                "\n  ",
                "\n",
                "#",
                "{",
                "}",
                "[",
                "]",
                ",",
                "'",
                "\"",
                "|",
                ">",
                "&a",
                "*a",
                "!!",
                "---\n",
                "\t",
                "~",
                "1e999",
                "null",
                "parameters:",
                "slices:",
                "layer_range: [9, 1]",
                "[[[[[[[[");
        return target(
                "merge-config",
                1,
                seeds,
                words,
                input -> MergeConfig.parseAll(new String(input, StandardCharsets.UTF_8)));
    }

    private static List<byte[]> jsonWords() {
        return words(
                "\"",
                "{",
                "}",
                "[",
                "]",
                ",",
                ":",
                "null",
                "true",
                "-1",
                "1e999",
                "1.5",
                "9223372036854775808",
                "\\u0000",
                "[[[[[[[[[[[[",
                "\"text_config\":{",
                "\"num_hidden_layers\":",
                "\"change\":",
                "\u00ff",
                "{\"a\":");
    }

    private Target config() throws IOException {
        List<byte[]> seeds = read(fixtures("config.json", 3));
        return target("config", FILE_COST, seeds, jsonWords(), input -> {
            Path file = Files.write(scratch.resolve("config.json"), input);
            Config config = Config.read(file);
            config.architectures();
            config.modelType();
            for (String key : List.of("num_hidden_layers", "rope_scaling.type", "tie_word_embeddings")) {
                config.string(key);
                config.integer(key);
                config.flag(key);
            }
        });
    }

    /// What a workspace keeps, and its journal.
    private Target workspace() throws IOException {
        List<byte[]> seeds = words("""
            {"schema": "kintsugi.workspace/1", "change": 2, "saved_millis": 1760000000000, "models": [{"name": "a",
             "command": "open /x --as a", "sources": [{"path": "/x/a.pt", "bytes": 3, "modified_millis": 5}]}],
             "use": "a", "settings": {"threads": "4"}, "aliases": {"l": "tensors"}}\
            """);
        return target("workspace", FILE_COST, seeds, jsonWords(), input -> lines.workspace(scratch, input));
    }

    private static List<byte[]> lineWords() {
        return words(
                "'",
                "\"",
                "\\",
                "$",
                "${",
                "}",
                "#",
                ";",
                "--",
                "-h",
                " ",
                "\t",
                "\n",
                "\r\n",
                "=",
                "param x = ",
                "\u001b[31m",
                "\u00c2\u0085",
                "\u00ed\u00a0\u0080",
                "{0..9999999999}",
                "$recipe_dir",
                "--format",
                "help ",
                "run ");
    }
}
