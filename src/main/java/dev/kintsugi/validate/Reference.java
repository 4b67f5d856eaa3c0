package dev.kintsugi.validate;

import dev.kintsugi.fault.Code;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.List;

/// Compares the names, shapes and dtypes of a model with those of another.
public final class Reference {
    private Reference() {}

    /// What `model` lacks, has too much, or has otherwise than `reference`, which is called `name`.
    public static List<Finding> compare(StateDict model, StateDict reference, String name) {
        List<Finding> findings = new ArrayList<>();
        List<String> missing =
                reference.names().stream().filter(n -> !model.has(n)).toList();
        List<String> extra =
                model.names().stream().filter(n -> !reference.has(n)).toList();
        Validation.collapsed(missing)
                .forEach((pattern, count) -> findings.add(
                        Finding.error(Code.K6002, pattern, "missing ×" + count + ": " + name + " has it")));
        Validation.collapsed(extra)
                .forEach((pattern, count) -> findings.add(
                        Finding.error(Code.K6002, pattern, "extra ×" + count + ": " + name + " has no such tensor")));
        for (String tensor : model.names()) {
            if (!reference.has(tensor)) {
                continue;
            }
            TensorSpec mine = model.tensor(tensor).spec();
            TensorSpec theirs = reference.tensor(tensor).spec();
            if (!mine.shape().equals(theirs.shape())) {
                findings.add(Finding.error(Code.K6002, tensor, "is " + mine + ", in " + name + " " + theirs));
            } else if (mine.dtype() != theirs.dtype()) {
                findings.add(Finding.warning(Code.K6002, tensor, "is " + mine + ", in " + name + " " + theirs));
            }
        }
        return findings;
    }
}
