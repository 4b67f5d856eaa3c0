package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.regex.Matcher;

/// Tensors under the names that they have on disk, as they are put there one after the other: renamed, and fused
/// experts split, as their family does.
final class DiskTensors {
    private final Optional<Family> family;
    private SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
    private Origins origins = new Origins(tensors);
    private final Map<String, String> blocks = new LinkedHashMap<>();
    private int split;

    DiskTensors(Optional<Family> family) {
        this.family = family;
    }

    SequencedMap<String, Tensor> tensors() {
        return tensors;
    }

    Origins origins() {
        return origins;
    }

    /// The fused tensor that a split one shares its memory with, by name.
    Map<String, String> blocks() {
        return blocks;
    }

    /// How many tensors were split.
    int split() {
        return split;
    }

    /// Whether the family has other names on disk than in memory.
    boolean converts() {
        return family.map(f -> !f.renames().isEmpty() || !f.splits().isEmpty()).orElse(false);
    }

    /// Has those of `all`, each under its own name, without a copy: nothing can be added or taken any more.
    void adopt(StateDict all) {
        tensors = all.tensors();
        origins = new Origins(tensors);
    }

    /// Puts what the tensor `name` of memory becomes on disk.
    void convert(String name, Tensor tensor, Origin origin) {
        if (!splitInto(name, tensor, origin)) {
            String disk = nameOnDisk(name);
            put(disk, tensor, disk.equals(name) ? origin : origin.with("named on disk: " + disk));
        }
    }

    /// What a tensor named `name` in memory is called on disk, unless it is split.
    String nameOnDisk(String name) {
        for (Family.Rename rule : family.map(Family::renames).orElse(List.of())) {
            Matcher matcher = rule.from().matcher(name);
            if (matcher.find()) {
                return matcher.replaceFirst(rule.to());
            }
        }
        return name;
    }

    private boolean splitInto(String name, Tensor tensor, Origin origin) {
        for (Family.Split rule : family.map(Family::splits).orElse(List.of())) {
            Matcher matcher = rule.name().matcher(name);
            Shape shape = tensor.spec().shape();
            int parts = rule.into().size();
            if (!matcher.matches() || shape.ndim() < 2 || shape.dim(1) % parts != 0) {
                continue;
            }
            Limit.TENSORS.check(
                    shape.dim(0), Code.K2204, () -> name + " " + shape + " has " + shape.dim(0) + " experts");
            split++;
            for (int part = 0; part < parts; part++) {
                for (long expert = 0; expert < shape.dim(0); expert++) {
                    String disk =
                            matcher.replaceFirst(rule.into().get(part)).replace("{expert}", Long.toString(expert));
                    blocks.put(disk, name + "#" + part);
                    put(
                            disk,
                            part(tensor, expert, part, parts),
                            origin.with("expert " + expert + (parts == 1 ? "" : ", part " + (part + 1) + " of " + parts)
                                    + " of " + name));
                }
            }
            return true;
        }
        return false;
    }

    private static Tensor part(Tensor tensor, long expert, int part, int parts) {
        Shape shape = tensor.spec().shape();
        long rows = shape.dim(1) / parts;
        long[] dims = new long[shape.ndim() - 1];
        dims[0] = rows;
        for (int dim = 1; dim < dims.length; dim++) {
            dims[dim] = shape.dim(dim + 1);
        }
        long rowElements = shape.elementCountFrom(2);
        long first = (expert * shape.dim(1) + part * rows) * rowElements;
        return new RangeTensor(new TensorSpec(tensor.spec().dtype(), Shape.of(dims)), tensor, first);
    }

    /// **Errors.** [Fault] `K4013` where another has the name.
    void put(String name, Tensor tensor, Origin origin) {
        if (tensors.put(name, tensor) != null) {
            throw new Fault(
                    Code.K4013,
                    String.join(", ", origin.stored()) + " and another tensor would both be " + name,
                    "the checkpoint holds the same tensor under the names of two versions of transformers",
                    "export the names as they are with --keys as-is");
        }
        origins.say(name, origin);
    }
}
