package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.diff.Diff;
import dev.kintsugi.diff.DiffReport;
import dev.kintsugi.diff.Tolerances;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.tensor.StateDict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// `test --local_dir D --test_hf_dir H`, with verl's own flags.
final class TestVerb extends Verb {
    /// What verl's model merger allows. **Source.** `verl/model_merger/base_model_merger.py`.
    private static final Tolerances USUAL = new Tolerances(1e-6, 1e-6);

    TestVerb(Session session) {
        super(
                session,
                "test",
                "prove",
                "Consolidates a checkpoint in memory and compares it with a reference; takes the flags of verl's test",
                "test --backend fsdp --local_dir docs/sample/actor --test_hf_dir out/actor-hf",
                List.of(),
                specs());
    }

    private static OptionSpec[] specs() {
        List<OptionSpec> specs = new ArrayList<>();
        specs.add(OptionSpec.choice("backend", ExportVerbs.BACKENDS, "what wrote the checkpoint; auto detects it"));
        specs.add(OptionSpec.many("local_dir", "DIR", ValueKind.DIRECTORY, "the checkpoint; may be given again"));
        specs.add(OptionSpec.value("test_hf_dir", "DIR", ValueKind.DIRECTORY, "the reference, a Hugging Face model"));
        specs.add(OptionSpec.flag("tie-word-embedding", "as --tie-word-embeddings yes; refused where the two differ"));
        specs.add(OptionSpec.flag("is-value-model", "the model has a value head in place of the language head"));
        specs.add(OptionSpec.flag("trust-remote-code", "taken and not needed: no code of a model is ever run"));
        specs.add(OptionSpec.flag("use_cpu_initialization", "taken and not needed"));
        specs.addAll(Opening.OPTIONS);
        specs.addAll(HubArguments.OPTIONS);
        specs.addAll(DiffVerb.OPTIONS);
        return specs.toArray(OptionSpec[]::new);
    }

    @Override
    String more() {
        return "Values are close where |a - b| <= 1e-6 + 1e-6 * |b| unless --rtol and --atol say otherwise, as verl"
                + " has it.\n"
                + "Exit status 0: same names and shapes, all values close; 1: not.";
    }

    @Override
    Status run(Invocation call) {
        List<Path> sources =
                call.values("local_dir").stream().map(Opening::path).toList();
        if (sources.isEmpty()) {
            throw missing("local_dir", "what to consolidate");
        }
        Path reference = Opening.path(
                call.value("test_hf_dir").orElseThrow(() -> missing("test_hf_dir", "what to compare it with")));
        Checkpoint opened = Opening.ofFlags(call, sources, "test", "test_hf_dir");
        try (OpenedModel model = new OpenedModel("consolidated", "test", opened);
                OpenedModel other = new OpenedModel("reference", "test", reference(call, reference))) {
            Exports.refuseHoles(model);
            StateDict mine = model.hub(HubArguments.of(call)).tensors();
            StateDict theirs = other.hub().tensors();
            DiffReport report = session()
                    .reading(
                            "test",
                            List.of(model, other),
                            job -> Diff.compare(mine, theirs, name -> true, DiffVerb.tolerances(call, USUAL), job));
            return DiffVerb.print(call, DiffSheets.Sides.of(model, other), report, mine, theirs);
        }
    }

    private Checkpoint reference(Invocation call, Path path) {
        return Opening.open(
                List.of(path), OpenOptions.defaults().strict(call.has(OptionSpec.STRICT.name())), session());
    }

    private static Fault missing(String option, String what) {
        return new Fault(
                Code.K1003,
                "test needs --" + option,
                "it says " + what,
                "for example: test --backend fsdp --local_dir RUN/actor --test_hf_dir OUT");
    }
}
