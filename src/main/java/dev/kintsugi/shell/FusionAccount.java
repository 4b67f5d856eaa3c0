package dev.kintsugi.shell;

import dev.kintsugi.fusion.FusedTensor;
import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.fusion.RowTensor;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.TreeSet;

/// What a fusion does with which tensors, and what that costs. Nothing is read.
final class FusionAccount {
    private final FusedModel model;
    private final Map<String, Part> parts = new LinkedHashMap<>();

    /// Tensors that are made alike. **Units.** Bytes; `readBytes` counts earlier sweeps too.
    static final class Part {
        private final String action;
        private final String formula;
        private final int sweeps;
        private final List<String> names = new ArrayList<>();
        private long bytes;
        private long readBytes;

        private Part(String action, String formula, int sweeps) {
            this.action = action;
            this.formula = formula;
            this.sweeps = sweeps;
        }

        /// `computed`, `copied`, `put in order`, `laid end to end` or `equal in all`.
        String action() {
            return action;
        }

        String formula() {
            return formula;
        }

        int sweeps() {
            return sweeps;
        }

        List<String> names() {
            return names;
        }

        long bytes() {
            return bytes;
        }

        long readBytes() {
            return readBytes;
        }
    }

    FusionAccount(FusedModel model) {
        this.model = model;
        model.tensors().tensors().forEach(this::add);
    }

    private void add(String name, Tensor tensor) {
        long bytes = tensor.spec().byteCount();
        Optional<ParentModel> owner = owner(name, tensor);
        Part part;
        long read = bytes;
        if (owner.isPresent()) {
            part = part("copied", "from " + owner.get().name(), 0);
        } else if (tensor instanceof RowTensor) {
            part = part("put in order", "row by row, by the tokens of the result", 0);
        } else if (tensor instanceof FusedTensor fused) {
            part = part("computed", fused.formula(), fused.earlierSweeps());
            long parents = fused.parents().stream()
                    .mapToLong(p -> p.spec().byteCount())
                    .sum();
            read = (1L + fused.earlierSweeps()) * parents;
        } else {
            long same = model.parents().all().stream()
                    .filter(p -> p.tensors().find(name).map(Tensor::spec).equals(Optional.of(tensor.spec())))
                    .count();
            boolean equal = same == model.parents().all().size() && same > 1;
            part = equal ? part("equal in all", "checked when read", 0) : part("laid end to end", "", 0);
            read = equal ? bytes * same : bytes;
        }
        part.names.add(name);
        part.bytes += bytes;
        part.readBytes += read;
    }

    private Part part(String action, String formula, int sweeps) {
        return parts.computeIfAbsent(action + formula + sweeps, k -> new Part(action, formula, sweeps));
    }

    /// Whose tensor it is, if it is one of the parents' unchanged.
    private Optional<ParentModel> owner(String name, Tensor tensor) {
        return model.parents().all().stream()
                .filter(p -> p.tensors().find(name).filter(t -> t == tensor).isPresent())
                .findFirst();
    }

    List<Part> parts() {
        return List.copyOf(parts.values());
    }

    int tensors(String action) {
        return parts.values().stream()
                .filter(p -> p.action.equals(action))
                .mapToInt(p -> p.names.size())
                .sum();
    }

    long readBytes() {
        return parts.values().stream().mapToLong(Part::readBytes).reduce(0, Math::addExact);
    }

    int sweeps() {
        return parts.values().stream().mapToInt(Part::sweeps).max().orElse(0);
    }

    /// The formulas of the computed tensors, each once.
    List<String> formulas() {
        LinkedHashSet<String> formulas = new LinkedHashSet<>();
        parts.values().stream().filter(p -> p.action.equals("computed")).forEach(p -> formulas.add(p.formula));
        return List.copyOf(formulas);
    }

    /// What the weights are and sum to over the fused tensors, and whether they are divided by their sum;
    /// nothing for a method without weights.
    Optional<String> weights() {
        if (model.fusion().isEmpty()
                || model.fusion().get().method().findOption("weight").isEmpty()) {
            return Optional.empty();
        }
        Fusion fusion = model.fusion().get();
        List<String> each = new ArrayList<>();
        for (int i = 0; i < fusion.inputs().size(); i++) {
            each.add(fusion.inputs().get(i).name() + " " + weight(i));
        }
        TreeSet<Double> sums = new TreeSet<>();
        for (String name : computed()) {
            double sum = 0;
            for (int i = 0; i < fusion.inputs().size(); i++) {
                sum += fusion.number(name, i, "weight").orElse(0);
            }
            sums.add(sum);
        }
        return Optional.of(String.join(", ", each) + "; they sum to " + range(sums) + " and are " + normalised(fusion));
    }

    /// `0.3`, or the least and greatest over the tensors: `0.2..0.8`.
    String weight(int input) {
        TreeSet<Double> values = new TreeSet<>();
        model.fusion()
                .ifPresent(f -> computed()
                        .forEach(name -> f.number(name, input, "weight").ifPresent(values::add)));
        return range(values);
    }

    private static String range(TreeSet<Double> values) {
        if (values.isEmpty()) {
            return "-";
        }
        String low = Numbers.text(values.first());
        String high = Numbers.text(values.last());
        return low.equals(high) ? low : low + ".." + high;
    }

    private List<String> computed() {
        return parts.values().stream()
                .filter(p -> p.action.equals("computed"))
                .flatMap(p -> p.names.stream())
                .toList();
    }

    private String normalised(Fusion fusion) {
        String method = fusion.method().name();
        if (method.equals("attention") || method.equals("nuslerp")) {
            return "normalised";
        }
        String flag = method.equals("multislerp") ? "normalize_weights" : "normalize";
        LinkedHashSet<Boolean> said = new LinkedHashSet<>();
        for (String name : computed()) {
            OptionalDouble value = fusion.number(name, 0, flag);
            value.ifPresent(v -> said.add(v != 0));
        }
        if (said.size() > 1) {
            return "normalised in some tensors";
        }
        if (said.contains(true)) {
            boolean elected = fusion.method().formula().contains("sign wins");
            return elected ? "normalised in each element over the models that agree" : "normalised";
        }
        return "not normalised";
    }
}
