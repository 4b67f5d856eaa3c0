package dev.kintsugi.shell;

import dev.kintsugi.architecture.HubModel;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.validate.Finding;
import dev.kintsugi.validate.Validation;
import dev.kintsugi.validate.ValidationReport;
import dev.kintsugi.work.Job;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// A model in a line.
final class ModelText {
    private ModelText() {}

    /// `FSDP2, 291 tensors`.
    static String brief(Model model) {
        String kind = model.checkpoint().map(Checkpoint::format).orElse("fusion");
        return kind + ", " + model.tensors().size() + " tensors";
    }

    /// `actor  FSDP2, 8 ranks, mesh fsdp=8 · 291 tensors, 494 M parameters, BF16, 988 MB · Qwen2ForCausalLM ·
    /// complete`.
    static String summary(Model model) {
        List<String> parts = new ArrayList<>();
        parts.add(model.checkpoint().map(ModelText::source).orElse("fusion"));
        StateDict tensors = model.tensors();
        parts.add(tensors.size() + " tensors, " + Units.count(tensors.elementCount()) + " parameters, "
                + (tensors.size() == 0 ? "" : dtypes(tensors) + ", ") + Units.bytes(tensors.byteCount()));
        HubModel hub = model.hub();
        hub.architecture().ifPresent(parts::add);
        parts.add(state(model, hub));
        return model.name() + "  " + String.join(" · ", parts);
    }

    static String source(Checkpoint checkpoint) {
        StringBuilder text = new StringBuilder(checkpoint.format());
        if (!checkpoint.ranks().isEmpty() || checkpoint.worldSize() > 1) {
            text.append(", ").append(checkpoint.worldSize()).append(checkpoint.worldSize() == 1 ? " rank" : " ranks");
        }
        checkpoint.mesh().ifPresent(mesh -> text.append(", mesh ").append(mesh));
        return text.toString();
    }

    /// `BF16` or `BF16 ×290, F32`.
    static String dtypes(StateDict tensors) {
        Map<DType, Integer> counts = tensors.dtypes();
        if (counts.size() == 1) {
            return counts.keySet().iterator().next().name();
        }
        return counts.entrySet().stream()
                .sorted(Map.Entry.<DType, Integer>comparingByValue().reversed())
                .map(e -> e.getKey() + " ×" + e.getValue())
                .collect(Collectors.joining(", "));
    }

    /// Ranks whose files are missing or damaged.
    static List<Integer> absentRanks(Checkpoint checkpoint) {
        TreeSet<Integer> absent = new TreeSet<>();
        for (ShardFile file : checkpoint.files()) {
            if (!file.status().equals("ok")) {
                file.rank().ifPresent(absent::add);
            }
        }
        return List.copyOf(absent);
    }

    private static String state(Model model, HubModel hub) {
        Optional<Checkpoint> checkpoint = model.checkpoint();
        if (checkpoint.isPresent()) {
            List<String> holes = checkpoint.get().holes();
            if (!holes.isEmpty()) {
                return "incomplete: ranks " + Ranks.text(absentRanks(checkpoint.get())) + " missing, " + holes.size()
                        + " tensors with holes";
            }
        }
        if (model instanceof RankView) {
            return "local tensors";
        }
        try {
            return state(Validation.structure(hub, checkpoint, Job.quiet()), hub);
        } catch (Fault fault) {
            return "see validate: " + fault.code();
        }
    }

    private static String state(ValidationReport report, HubModel hub) {
        if (hub.config().isEmpty()) {
            return "no config.json";
        }
        if (!report.isSound()) {
            Finding first = report.errors().getFirst();
            return report.errors().size() + (report.errors().size() == 1 ? " problem: " : " problems, first: ")
                    + first.subject() + " " + first.what();
        }
        boolean adapterOnly = hub.tensors().size() == 0 && hub.adapter().isPresent();
        if (adapterOnly) {
            return "adapter only";
        }
        return hub.expected().isPresent() ? "complete" : "architecture unknown";
    }
}
