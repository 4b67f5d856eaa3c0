package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The verbs that write: `export` and `merge`.
final class ExportVerbs {
    /// What `--backend` takes.
    static final List<String> BACKENDS =
            List.of("auto", "fsdp", "megatron", "deepspeed", "dcp", "colossalai", "safetensors", "torch");

    private ExportVerbs() {}

    /// `export [MODEL] DIR`.
    static final class Export extends Verb {
        Export(Session session) {
            super(
                    session,
                    "export",
                    "prove",
                    "Writes a model as a Hugging Face directory, whole or not at all",
                    "export actor out/actor-hf",
                    List.of(
                            Parameter.required("MODEL", ValueKind.MODEL),
                            Parameter.optional("DIR", ValueKind.DIRECTORY)),
                    Exports.OPTIONS.toArray(OptionSpec[]::new));
        }

        @Override
        String more() {
            return "With one word, the model in use is written to it.";
        }

        @Override
        Status run(Invocation call) {
            boolean named = call.words().size() == 2;
            Model model = named ? session().model(call.word(0)) : session().model();
            Path target = Opening.path(call.words().getLast());
            return Exports.write(model, target, HubArguments.of(call), call);
        }
    }

    /// `merge --local_dir D --target_dir T`, with verl's own flags.
    static final class Merge extends Verb {
        Merge(Session session) {
            super(
                    session,
                    "merge",
                    "prove",
                    "Opens, validates and exports in one step; takes the flags of verl's model merger",
                    "merge --backend fsdp --local_dir docs/sample/actor --target_dir out/actor-hf",
                    List.of(),
                    specs());
        }

        private static OptionSpec[] specs() {
            List<OptionSpec> specs = new ArrayList<>();
            specs.add(OptionSpec.choice("backend", BACKENDS, "what wrote the checkpoint; auto detects it"));
            specs.add(OptionSpec.many("local_dir", "DIR", ValueKind.DIRECTORY, "the checkpoint; may be given again"));
            specs.add(OptionSpec.value("target_dir", "DIR", ValueKind.DIRECTORY, "where to write"));
            specs.add(OptionSpec.flag(
                    "tie-word-embedding", "as --tie-word-embeddings yes; refused where the two differ"));
            specs.add(OptionSpec.flag("is-value-model", "the model has a value head in place of the language head"));
            specs.add(OptionSpec.value("hf_upload_path", "REPO", ValueKind.TEXT, "refused: nothing is uploaded"));
            specs.add(OptionSpec.flag("private", "belongs to --hf_upload_path"));
            specs.add(OptionSpec.flag("trust-remote-code", "taken and not needed: no code of a model is ever run"));
            specs.add(OptionSpec.flag("use_cpu_initialization", "taken and not needed"));
            specs.add(Opening.WAIT);
            specs.addAll(Opening.OPTIONS);
            specs.addAll(Exports.OPTIONS);
            return specs.toArray(OptionSpec[]::new);
        }

        @Override
        String more() {
            return Opening.ABOUT_WAIT;
        }

        @Override
        Status run(Invocation call) {
            if (call.has("hf_upload_path")) {
                throw new Fault(
                        Code.K4012,
                        "--hf_upload_path: this version uploads nothing",
                        "a finished directory is written, the Hub is not reached",
                        "leave it out, then: hf upload "
                                + call.value("hf_upload_path").orElse("REPO") + " DIR");
            }
            List<Path> sources =
                    call.values("local_dir").stream().map(Opening::path).toList();
            if (sources.isEmpty()) {
                throw missing("local_dir");
            }
            Path target = Opening.path(call.value("target_dir").orElseThrow(() -> missing("target_dir")));
            Opening.await(call, sources);
            Checkpoint checkpoint = Opening.ofFlags(call, sources, "merge", "target_dir");
            try (OpenedModel model = new OpenedModel(Opening.nameOf(sources.getFirst()), "merge", checkpoint)) {
                if (call.console().format() == OutputFormat.TABLE) {
                    call.console().out().println(Escape.text(ModelText.summary(model)));
                }
                return Exports.write(model, target, HubArguments.of(call), call);
            }
        }

        private static Fault missing(String option) {
            return new Fault(
                    Code.K1003,
                    "merge needs --" + option,
                    "it says " + (option.equals("local_dir") ? "what to read" : "where to write"),
                    "for example: merge --backend fsdp --local_dir RUN/actor --target_dir OUT");
        }
    }
}
