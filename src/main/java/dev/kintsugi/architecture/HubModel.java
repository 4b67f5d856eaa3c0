package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// The model as `save_pretrained` of current transformers would write it: names, split experts, tied heads,
/// adapter.
///
/// Nothing is read: its tensors are promises over those of the checkpoint. Tensors come in the order in which
/// transformers hands them to its files.
public final class HubModel {
    private static final String VALUE_HEAD = "score.weight";
    private static final String VALUE_BIAS = "score.bias";
    private static final int MAX_LABELS = 10_000;
    private static final Map<String, String> USUAL_TIES = Map.of("lm_head.weight", "model.embed_tokens.weight");

    private final StateDict stored;
    private final HubOptions options;
    private final SequencedMap<String, String> edits;
    private final Optional<Config> config;
    private final Optional<Family> family;
    private final Optional<Adapter> adapter;
    private final DiskTensors disk;
    private final List<LeftOut> leftOut = new ArrayList<>();
    private final List<Tie> ties = new ArrayList<>();
    private @Nullable StateDict output;

    private HubModel(
            StateDict stored,
            List<Path> directories,
            Optional<Path> sidecars,
            HubOptions options,
            Map<String, String> edits) {
        this.stored = stored;
        this.edits = new LinkedHashMap<>(edits);
        this.options = options;
        this.config = sidecars.map(d -> d.resolve("config.json"))
                .filter(Files::isRegularFile)
                .map(Config::read)
                .map(c -> c.with(edits));
        this.family = options.keys() == HubOptions.Keys.AS_IS ? Optional.empty() : config.flatMap(Family::of);
        this.disk = new DiskTensors(family);
        if (options.keys() == HubOptions.Keys.AS_IS) {
            this.adapter = Optional.empty();
            disk.adopt(stored);
            return;
        }
        Map<String, String> files = Map.of();
        StateDict base = stored;
        Optional<Adapter> found = Optional.empty();
        if (!hasPlainNames()) {
            SequencedMap<String, String> bare = bareNames();
            files = bare;
            if (AdapterSplit.isAdapted(bare.keySet())) {
                AdapterSplit.Parts parts = AdapterSplit.split(bare.keySet());
                files = new LinkedHashMap<>(parts.base());
                files.replaceAll((disk, name) -> Objects.requireNonNull(bare.get(name)));
                base = base(files);
                if (!parts.adapter().isEmpty()) {
                    found = Optional.of(adapter(parts, bare, base, AdapterFacts.find(directories)));
                }
            } else {
                base = base(files);
            }
        }
        this.adapter = found;
        if (options.lora() == HubOptions.Lora.ONLY) {
            leaveOut(base == stored ? stored.names() : files.values(), "--lora only");
            return;
        }
        if (base == stored && isAsItIs()) {
            disk.adopt(stored);
            return;
        }
        boolean merged = options.lora() == HubOptions.Lora.MERGE && adapter.isPresent();
        mapOnto(merged ? adapter.get().mergeInto(base, options.loraAlpha(), this::nameOnDisk) : base, files);
        tie();
    }

    /// The model that `stored`, a checkpoint's tensors under the names of its files, makes.
    ///
    /// `directories` are the checkpoint's, where an adapter's facts are looked for; `sidecars` has
    /// `config.json`.
    ///
    /// **Errors.** [Fault] `K4013` where two tensors would get one name, `K4011` for an adapter that cannot
    /// be placed, `K2305` for a damaged `config.json`.
    public static HubModel of(StateDict stored, List<Path> directories, Optional<Path> sidecars, HubOptions options) {
        return new HubModel(stored, directories, sidecars, options, Map.of());
    }

    /// The same with `edits`, JSON values by key, in place of what `config.json` says.
    public static HubModel of(
            StateDict stored,
            List<Path> directories,
            Optional<Path> sidecars,
            HubOptions options,
            Map<String, String> edits) {
        return new HubModel(stored, directories, sidecars, options, edits);
    }

    /// Whether no name has a wrapper's segment or is one of an adapter: the names are those of the model.
    private boolean hasPlainNames() {
        for (String name : stored.names()) {
            if (!Wrappers.strip(name).equals(name)) {
                return false;
            }
        }
        return !AdapterSplit.isAdapted(stored.names());
    }

    /// Whether no tensor is renamed, left out or copied, once names are plain.
    private boolean isAsItIs() {
        if (disk.converts() || adapter.isPresent() || stored.names().stream().anyMatch(HubModel::computed)) {
            return false;
        }
        return pairs().entrySet().stream()
                .allMatch(p -> !stored.has(p.getValue())
                        || (isTied()
                                ? !stored.has(p.getKey())
                                : options.tie() != HubOptions.Choice.NO || stored.has(p.getKey())));
    }

    /// Names without wrapper segments, each with the name it had.
    private SequencedMap<String, String> bareNames() {
        SequencedMap<String, String> bare = new LinkedHashMap<>();
        for (String name : stored.names()) {
            String stripped = Wrappers.strip(name);
            String before = bare.put(stripped, name);
            if (before != null) {
                throw new Fault(
                        Code.K4013,
                        before + " and " + name + " would both be " + stripped,
                        "wrapper prefixes hide two tensors of one name",
                        "export the names as they are with --keys as-is");
            }
        }
        return bare;
    }

    private Tensor storedTensor(Map<String, String> bare, String name) {
        return stored.tensor(Objects.requireNonNull(bare.get(name)));
    }

    private Adapter adapter(AdapterSplit.Parts parts, Map<String, String> bare, StateDict base, AdapterFacts facts) {
        SequencedMap<String, Tensor> found = new LinkedHashMap<>();
        parts.adapter().forEach((disk, name) -> found.put(disk, storedTensor(bare, name)));
        SequencedMap<String, LoraPair> pairs = AdapterSplit.pairs(StateDict.of(found), base);
        SequencedMap<String, Tensor> trained = new LinkedHashMap<>();
        parts.trained().forEach((name, disk) -> trained.put(name, Objects.requireNonNull(found.get(disk))));
        AdapterSplit.copies(parts.base(), pairs, facts.rules())
                .forEach((disk, name) -> found.put(disk, base.tensor(name)));
        return new Adapter(StateDict.of(found), pairs, trained, base, facts);
    }

    private void leaveOut(Collection<String> files, String why) {
        files.forEach(file -> leftOut.add(new LeftOut(file, stored.tensor(file).spec(), why)));
    }

    /// The tensors under the names of `files`, whose values are their names in the files.
    private StateDict base(Map<String, String> files) {
        if (files.entrySet().stream().allMatch(e -> e.getKey().equals(e.getValue()))) {
            return files.size() == stored.size() ? stored : stored.filter(files::containsKey);
        }
        SequencedMap<String, Tensor> base = LinkedHashMap.newLinkedHashMap(files.size());
        files.forEach((disk, file) -> base.put(disk, stored.tensor(file)));
        return StateDict.backedBy(base);
    }

    private void mapOnto(StateDict base, Map<String, String> files) {
        Collection<Map.Entry<String, Tensor>> order = base.tensors().entrySet();
        if (disk.converts()) {
            order = order.stream()
                    .sorted(Map.Entry.comparingByKey(NaturalOrder.INSTANCE))
                    .toList();
        }
        for (Map.Entry<String, Tensor> entry : order) {
            String name = entry.getKey();
            Tensor tensor = entry.getValue();
            String file = base == stored ? name : Objects.requireNonNull(files.get(name));
            Origin origin = new Origin(List.of(file), List.of());
            if (!file.equals(name)) {
                origin = origin.with("wrapper prefix removed: " + name);
            }
            if (base != stored && tensor != stored.tensor(file)) {
                origin = origin.with("adapter merged in");
            }
            if (computed(name)) {
                leftOut.add(new LeftOut(file, tensor.spec(), "a buffer that the model computes itself"));
            } else {
                disk.convert(name, tensor, origin);
            }
        }
    }

    /// Rotary frequencies, which old versions saved.
    private static boolean computed(String name) {
        return name.endsWith(".rotary_emb.inv_freq");
    }

    /// What a tensor named `name` in memory is called on disk, unless it is split.
    public String nameOnDisk(String name) {
        return disk.nameOnDisk(name);
    }

    /// The embedding that each head may share.
    private Map<String, String> pairs() {
        return family.map(f -> (Map<String, String>) f.tied()).orElse(USUAL_TIES);
    }

    private void tie() {
        pairs().forEach((head, embedding) -> {
            Tensor dropped = disk.tensors().get(head);
            Tensor kept = disk.tensors().get(embedding);
            if (kept == null) {
                return;
            }
            if (isTied() && dropped != null) {
                Origin origin = disk.origins().of(head);
                disk.tensors().remove(head);
                ties.add(new Tie(head, dropped, embedding, kept));
                origin.stored().forEach(name -> leftOut.add(new LeftOut(name, dropped.spec(), "tied to " + embedding)));
            } else if (options.tie() == HubOptions.Choice.NO && dropped == null && hasHead(head)) {
                Origin origin = disk.origins().of(embedding);
                disk.put(head, kept, origin.with("copied for " + head + ": --tie-word-embeddings no"));
            }
        });
    }

    private boolean hasHead(String head) {
        return expected().map(e -> e.containsKey(head)).orElse(true);
    }

    /// Whether the head shares the embedding: as asked, or as `config.json` says.
    public boolean isTied() {
        return switch (options.tie()) {
            case YES -> true;
            case NO -> false;
            case AUTO ->
                config.flatMap(c -> c.flag("tie_word_embeddings"))
                        .orElse(family.map(Family::tiesByDefault).orElse(false));
        };
    }

    /// The tensors of the output, without the adapter's.
    public synchronized StateDict tensors() {
        StateDict known = output;
        if (known == null) {
            known = isUnchanged() ? stored : StateDict.backedBy(disk.tensors());
            output = known;
        }
        return known;
    }

    /// Where each of [#tensors()] comes from.
    public Map<String, Origin> origins() {
        return disk.origins().all();
    }

    /// What a tensor shares its memory with when transformers writes it, and so its file: the experts of one
    /// part of a fused tensor. Tensors that are not named share with none.
    public Map<String, String> blocks() {
        return Collections.unmodifiableMap(disk.blocks());
    }

    /// Whether the output is the checkpoint's tensors, each under the name of its files.
    public boolean isUnchanged() {
        return disk.tensors() == stored.tensors();
    }

    /// The checkpoint's tensors under the names of its files.
    public StateDict stored() {
        return stored;
    }

    /// The adapter to write beside the model, or alone.
    public Optional<Adapter> adapter() {
        return options.lora() == HubOptions.Lora.MERGE ? Optional.empty() : adapter;
    }

    /// Whether the checkpoint holds an adapter, whatever becomes of it.
    public Optional<Adapter> storedAdapter() {
        return adapter;
    }

    public HubOptions options() {
        return options;
    }

    public Optional<Config> config() {
        return config;
    }

    public Optional<Family> family() {
        return family;
    }

    public List<Tie> ties() {
        return List.copyOf(ties);
    }

    public List<LeftOut> leftOut() {
        return List.copyOf(leftOut);
    }

    public OptionalDouble loraAlpha() {
        return options.loraAlpha();
    }

    /// The class that `config.json` names, or the one with a value head if that was asked for.
    public Optional<String> architecture() {
        Optional<String> named =
                config.map(Config::architectures).flatMap(a -> a.stream().findFirst());
        if (options.valueModel()) {
            return named.map(n -> n.replaceFirst("For[A-Z]\\w*$", "ForTokenClassification"));
        }
        return named;
    }

    /// The tensors the model must have, tied heads left out, if its architecture is known.
    ///
    /// **Errors.** [Fault] `K2305` where `config.json` lacks a key that gives a shape.
    public Optional<SequencedMap<String, Shape>> expected() {
        if (family.isEmpty() || config.isEmpty() || architecture().isEmpty()) {
            return Optional.empty();
        }
        String name = architecture().get();
        if (!family.get().knows(name)) {
            return Optional.empty();
        }
        try {
            Map<String, Long> known = new LinkedHashMap<>();
            valueRows().ifPresent(rows -> known.put("num_labels", rows));
            SequencedMap<String, Shape> shapes = family.get().expected(config.get(), name, known);
            if (valueRows().isPresent() && !disk.tensors().containsKey(VALUE_BIAS)) {
                shapes.remove(VALUE_BIAS);
            }
            if (isTied()) {
                family.get().tied().keySet().forEach(shapes::remove);
            }
            return Optional.of(shapes);
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new Fault(
                    Code.K2305,
                    config.get().path() + ": " + e.getMessage(),
                    "the shapes of a " + name + " follow from it",
                    "give another directory with --sidecars DIR, or export the names as they are with --keys as-is",
                    e);
        }
    }

    /// How many rows the head of a value model has, where one was asked for and is there. A bias it may have or not:
    /// transformers starts one that is in no file at zero.
    private Optional<Long> valueRows() {
        return Optional.ofNullable(options.valueModel() ? disk.tensors().get(VALUE_HEAD) : null)
                .map(t -> t.spec().shape())
                .filter(s -> s.ndim() == 2)
                .map(s -> s.dim(0));
    }

    /// The labels of a head of `rows` as transformers writes them, where `config` has another number of them.
    private static void addLabels(Config config, long rows, Map<String, String> edits) {
        int said = config.find("id2label").map(JsonNode::size).orElse(2);
        if (rows == said || rows > MAX_LABELS) {
            return;
        }
        List<String> byNumber = new ArrayList<>();
        TreeMap<String, String> byLabel = new TreeMap<>();
        for (long row = 0; row < rows; row++) {
            byNumber.add("\n    \"" + row + "\": \"LABEL_" + row + "\"");
            byLabel.put("LABEL_" + row, "\n    \"LABEL_" + row + "\": " + row);
        }
        edits.put("id2label", "{" + String.join(",", byNumber) + "\n  }");
        edits.put("label2id", "{" + String.join(",", byLabel.values()) + "\n  }");
    }

    /// What must change in `config.json`, as JSON values by key; empty where the file is copied as it is.
    public SequencedMap<String, String> configEdits() {
        SequencedMap<String, String> edits = new LinkedHashMap<>(this.edits);
        if (config.isEmpty() || options.keys() == HubOptions.Keys.AS_IS) {
            return edits;
        }
        boolean said = config.get()
                .flag("tie_word_embeddings")
                .orElse(family.map(Family::tiesByDefault).orElse(false));
        if (options.tie() != HubOptions.Choice.AUTO && said != isTied()) {
            edits.put("tie_word_embeddings", Boolean.toString(isTied()));
        }
        if (options.valueModel()) {
            valueRows().ifPresent(rows -> addLabels(config.get(), rows, edits));
            architecture()
                    .filter(a -> !config.get().architectures().contains(a))
                    .ifPresent(a -> edits.put("architectures", "[\n    \"" + a + "\"\n  ]"));
        }
        return edits;
    }

    /// The account of what went in and what comes out.
    public Ledger ledger() {
        StateDict out = tensors();
        StateDict beside = adapter().map(Adapter::tensors).orElse(StateDict.of(new TreeMap<String, Tensor>()));
        return new Ledger(
                stored.size(),
                stored.elementCount(),
                stored.byteCount(),
                out.size(),
                out.elementCount(),
                out.byteCount(),
                beside.size(),
                beside.elementCount(),
                disk.origins().renamed(),
                disk.split(),
                leftOut,
                ties.stream().map(Tie::droppedName).toList());
    }
}
