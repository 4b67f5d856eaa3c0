package dev.kintsugi.validate;

import dev.kintsugi.architecture.Adapter;
import dev.kintsugi.architecture.Config;
import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.architecture.HubOptions;
import dev.kintsugi.architecture.NaturalOrder;
import dev.kintsugi.architecture.Origin;
import dev.kintsugi.architecture.Tie;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.fault.Code;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.work.Job;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Checks a model against its configuration.
public final class Validation {
    private static final Pattern LAYER = Pattern.compile("^(.*\\.layers|.*\\.blocks|.*\\.h)\\.(\\d+)\\.(.*)$");
    private static final List<String> QUANTISED = List.of("qweight", "qzeros", "g_idx", "weight_packed", "absmax");

    private final HubModel model;
    private final Optional<Checkpoint> checkpoint;
    private final Job job;
    private final List<Finding> findings = new ArrayList<>();
    private final List<String> checked = new ArrayList<>();

    private Validation(HubModel model, Optional<Checkpoint> checkpoint, Job job) {
        this.model = model;
        this.checkpoint = checkpoint;
        this.job = job;
    }

    /// Checks keys, shapes, dtypes, ties, vocabulary and sidecars; with `data` also the values of every
    /// tensor, and the replicas of `checkpoint`.
    ///
    /// Bytes are read for ties and for `data` only.
    public static ValidationReport run(HubModel model, Optional<Checkpoint> checkpoint, boolean data, Job job) {
        Validation validation = new Validation(model, checkpoint, job);
        validation.accounts();
        if (model.options().keys() == HubOptions.Keys.CONFIG) {
            validation.config();
            validation.ties();
            validation.adapter();
            validation.sidecars();
        }
        if (data) {
            validation.values();
            checkpoint.ifPresent(validation::replicas);
        }
        return new ValidationReport(model.architecture(), validation.checked, model.ledger(), validation.findings);
    }

    /// Looks at every value of `tensors`: NaN, infinities, tensors that are zero throughout.
    public static List<Finding> values(StateDict tensors, Job job) {
        return ValueCheck.run(tensors, job);
    }

    /// Checks keys, shapes and dtypes only; no byte of a tensor is read.
    public static ValidationReport structure(HubModel model, Optional<Checkpoint> checkpoint, Job job) {
        Validation validation = new Validation(model, checkpoint, job);
        validation.accounts();
        if (model.options().keys() == HubOptions.Keys.CONFIG) {
            validation.config();
        }
        return new ValidationReport(model.architecture(), validation.checked, model.ledger(), validation.findings);
    }

    /// Every tensor of the files must be somewhere in the output, or be named among those left out.
    private void accounts() {
        if (model.isUnchanged()) {
            return;
        }
        Set<Tensor> adapter = Collections.newSetFromMap(new IdentityHashMap<>());
        model.storedAdapter()
                .ifPresent(a -> adapter.addAll(a.tensors().tensors().values()));
        List<String> renamed = new ArrayList<>();
        model.stored().tensors().forEach((name, tensor) -> {
            Origin same = model.origins().get(name);
            boolean used = same != null && same.stored().contains(name);
            if (!used && !adapter.contains(tensor)) {
                renamed.add(name);
            }
        });
        if (renamed.isEmpty()) {
            return;
        }
        Set<String> used = new HashSet<>();
        model.origins().values().forEach(o -> used.addAll(o.stored()));
        model.leftOut().forEach(l -> used.add(l.stored()));
        renamed.stream()
                .filter(name -> !used.contains(name))
                .forEach(name ->
                        findings.add(Finding.error(Code.K4005, name, "is in the files and nowhere in the output")));
    }

    private void config() {
        boolean adapterOnly = model.tensors().size() == 0 && model.adapter().isPresent();
        if (model.config().isEmpty()) {
            findings.add(Finding.error(
                    Code.K4010,
                    "config.json",
                    "not found beside the checkpoint: names, shapes and ties cannot be judged; give its directory with"
                            + " --sidecars DIR, or write the names as they are with --keys as-is"));
            return;
        }
        Optional<SequencedMap<String, Shape>> expected = model.expected();
        if (expected.isEmpty()) {
            findings.add(Finding.note(
                    Code.K6001,
                    model.architecture().orElse("config.json"),
                    "no data on this architecture: keys are checked for regularity across layers only"));
            regularity();
        } else if (!adapterOnly) {
            checked.addAll(List.of("keys", "shapes"));
            againstExpected(expected.get());
        }
        dtypes();
        quantised();
    }

    private void againstExpected(SequencedMap<String, Shape> expected) {
        StateDict tensors = model.tensors();
        List<String> missing = new ArrayList<>();
        expected.forEach((name, shape) -> {
            Optional<Tensor> tensor = tensors.find(name);
            if (tensor.isEmpty()) {
                missing.add(name);
            } else if (!tensor.get().spec().shape().equals(shape)) {
                findings.add(Finding.error(Code.K4004, name, shapes(name, tensor.get(), shape)));
            }
        });
        List<String> extra = tensors.names().stream()
                .filter(n -> !expected.containsKey(n) && !isBuffer(n))
                .toList();
        tensors.names().stream()
                .filter(n -> !expected.containsKey(n) && isBuffer(n))
                .forEach(n -> findings.add(Finding.note(
                        Code.K6001,
                        n,
                        "a buffer of the training code that " + architecture() + " does not know; written as it is")));
        collapsed(missing)
                .forEach((pattern, count) -> findings.add(Finding.error(
                        Code.K4004,
                        pattern,
                        "missing" + times(count) + ": " + architecture() + " needs it" + missingHint(pattern))));
        collapsed(extra)
                .forEach((pattern, count) -> findings.add(Finding.error(
                        Code.K4004, pattern, "extra" + times(count) + ": " + architecture() + " has no such tensor")));
    }

    private boolean isBuffer(String name) {
        Origin origin = model.origins().get(name);
        return origin != null
                && checkpoint.isPresent()
                && origin.stored().stream()
                        .map(checkpoint.get().layouts()::get)
                        .anyMatch(l -> l != null && l.kind().equals(Layout.BUFFER));
    }

    private static String missingHint(String name) {
        return name.equals("lm_head.weight") ? "; if the head shares the embedding, say --tie-word-embeddings yes" : "";
    }

    private String shapes(String name, Tensor tensor, Shape shape) {
        Shape found = tensor.spec().shape();
        boolean vocabulary = found.ndim() == 2
                && shape.ndim() == 2
                && found.dim(1) == shape.dim(1)
                && (name.endsWith("embed_tokens.weight") || name.endsWith("lm_head.weight"));
        String hint = vocabulary ? vocabulary(found.dim(0), shape.dim(0)) : "";
        return "is " + found + ", " + architecture() + " has " + shape + hint;
    }

    private static String vocabulary(long rows, long vocabSize) {
        String cause = rows > vocabSize
                ? Math.subtractExact(rows, vocabSize) + " rows are padding, or tokens added since"
                : "tokens of the tokenizer have no row";
        return ": " + rows + " rows, vocab_size in config.json is " + vocabSize + ": " + cause;
    }

    private String architecture() {
        return model.architecture().orElse("the model");
    }

    private static String times(int count) {
        return count == 1 ? "" : " ×" + count;
    }

    /// Names with their layer and expert numbers collapsed: `model.layers.{0..3}.mlp.up_proj.weight` and how
    /// many.
    static SequencedMap<String, Integer> collapsed(List<String> names) {
        Map<String, TreeSet<Long>> numbers = new TreeMap<>(NaturalOrder.INSTANCE);
        Map<String, Integer> counts = new TreeMap<>(NaturalOrder.INSTANCE);
        for (String name : names) {
            Matcher matcher = LAYER.matcher(name);
            String key = matcher.matches() ? matcher.group(1) + ".#." + matcher.group(3) : name;
            counts.merge(key, 1, Integer::sum);
            if (matcher.matches()) {
                numbers.computeIfAbsent(key, k -> new TreeSet<>()).add(Long.parseLong(matcher.group(2)));
            }
        }
        SequencedMap<String, Integer> result = new LinkedHashMap<>();
        counts.forEach((key, count) -> {
            TreeSet<Long> layers = numbers.get(key);
            String text = key;
            if (layers != null) {
                boolean run = layers.last() - layers.first() + 1 == layers.size();
                String range = layers.size() == 1
                        ? String.valueOf(layers.first())
                        : "{"
                                + (run
                                        ? layers.first() + ".." + layers.last()
                                        : layers.stream().map(String::valueOf).collect(Collectors.joining(",")))
                                + "}";
                text = key.replaceFirst("#", Matcher.quoteReplacement(range));
            }
            result.put(text, count);
        });
        return result;
    }

    /// Without knowledge of the architecture: every layer should have what most layers have.
    private void regularity() {
        checked.add("regularity");
        Map<String, TreeSet<Long>> layersOf = new TreeMap<>();
        Map<String, TreeSet<Long>> layers = new TreeMap<>();
        for (String name : model.tensors().names()) {
            Matcher matcher = LAYER.matcher(name);
            if (matcher.matches()) {
                long layer = Long.parseLong(matcher.group(2));
                layers.computeIfAbsent(matcher.group(1), k -> new TreeSet<>()).add(layer);
                layersOf.computeIfAbsent(matcher.group(1) + ".#." + matcher.group(3), k -> new TreeSet<>())
                        .add(layer);
            }
        }
        layers.forEach((stack, present) -> {
            if (present.last() + 1 != present.size()) {
                findings.add(Finding.warning(
                        Code.K4004,
                        stack,
                        "has layers " + present.first() + " to " + present.last() + ", but only " + present.size()
                                + " of them"));
            }
        });
        layersOf.forEach((key, present) -> {
            TreeSet<Long> all = layers.get(key.substring(0, key.indexOf(".#.")));
            if (all != null && present.size() < all.size() && present.size() * 2 > all.size()) {
                TreeSet<Long> without = new TreeSet<>(all);
                without.removeAll(present);
                findings.add(Finding.warning(
                        Code.K4004, key, "is missing in layers " + without + ", though most layers have it"));
            }
        });
    }

    private void dtypes() {
        checked.add("dtypes");
        Set<DType> found = model.tensors().dtypes().keySet();
        Optional<String> said = model.config().flatMap(c -> c.string("dtype").or(() -> c.string("torch_dtype")));
        Optional<DType> wanted = said.flatMap(DType::ofTorch);
        if (wanted.isPresent() && !found.isEmpty() && !found.contains(wanted.get())) {
            findings.add(Finding.note(
                    Code.K6001,
                    "dtype",
                    "config.json says " + said.get() + ", the tensors are " + found
                            + "; they are written as they are unless --dtype is given, and config.json says so"));
        }
    }

    private void quantised() {
        List<String> packed = model.tensors().names().stream()
                .filter(n -> QUANTISED.contains(n.substring(n.lastIndexOf('.') + 1)))
                .toList();
        if (!packed.isEmpty()) {
            findings.add(Finding.warning(
                    Code.K4014,
                    packed.getFirst(),
                    packed.size() + " tensors hold quantised weights; they can be copied, not computed with"));
        }
    }

    private void ties() {
        checked.add("ties");
        for (Tie tie : model.ties()) {
            if (!tie.dropped().spec().equals(tie.kept().spec())) {
                findings.add(Finding.error(
                        Code.K4004,
                        tie.droppedName(),
                        "is " + tie.dropped().spec() + ", tied to " + tie.keptName() + " "
                                + tie.kept().spec()));
                continue;
            }
            OptionalLong difference = Equality.firstDifference(tie.dropped(), tie.kept(), job);
            if (difference.isPresent()) {
                boolean asked = model.options().tie() == HubOptions.Choice.YES;
                findings.add(Finding.error(
                                Code.K4004,
                                tie.droppedName(),
                                "differs from " + tie.keptName() + " from element " + difference.getAsLong()
                                        + " on, though "
                                        + (asked ? "--tie-word-embedding says they are tied" : "config.json ties them")
                                        + ": dropping it would lose it")
                        .withNext(
                                asked
                                        ? "leave --tie-word-embedding out, so that the head is kept as config.json says"
                                        : "keep both with --tie-word-embeddings no, or correct tie_word_embeddings in"
                                                + " config.json"));
            }
        }
        boolean headBesideTie = model.options().tie() == HubOptions.Choice.NO
                && model.config().flatMap(c -> c.flag("tie_word_embeddings")).orElse(false);
        if (headBesideTie) {
            findings.add(Finding.note(
                    Code.K6001, "tie_word_embeddings", "config.json ties the head; it is set to false as asked"));
        }
    }

    private void adapter() {
        if (model.storedAdapter().isEmpty()) {
            return;
        }
        checked.add("adapter");
        Adapter adapter = model.storedAdapter().get();
        adapter.alpha(model.loraAlpha());
        Set<String> known = model.expected()
                .map(e -> (Set<String>) e.keySet())
                .orElse(model.tensors().names());
        adapter.pairs().keySet().forEach(weight -> {
            if (!known.contains(model.nameOnDisk(weight))
                    && adapter.base().find(weight).isEmpty()) {
                findings.add(Finding.error(
                        Code.K4004, weight, "the adapter changes it, " + architecture() + " has no such tensor"));
            }
        });
        adapter.ranksUnlikeSaid()
                .ifPresent(said -> findings.add(Finding.warning(
                        Code.K4004,
                        "r",
                        "adapter_config.json says " + said + ", most tensors have " + adapter.rank()
                                + "; the ranks written are those of the tensors")));
    }

    private void sidecars() {
        checked.add("sidecars");
        Optional<Config> config = model.config();
        if (config.isEmpty()) {
            return;
        }
        var directory = Optional.ofNullable(config.get().path().getParent());
        boolean tokenizer = directory.isPresent()
                && List.of("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json").stream()
                        .anyMatch(n -> Files.isRegularFile(directory.get().resolve(n)));
        if (!tokenizer) {
            findings.add(Finding.note(
                    Code.K4010, "tokenizer", "no tokenizer files beside config.json: the output will have none"));
        }
        if (config.get().find("auto_map").isPresent()) {
            findings.add(Finding.warning(
                    Code.K4010,
                    "auto_map",
                    "config.json asks loaders to run code of its own; it is copied, nothing is run here"));
        }
    }

    private void values() {
        checked.add("values");
        findings.addAll(ValueCheck.run(model.tensors(), job));
    }

    private void replicas(Checkpoint checkpoint) {
        checked.add("replicas");
        findings.addAll(ReplicaCheck.run(checkpoint, job));
    }
}
