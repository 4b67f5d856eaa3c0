package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.selector.Nearest;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// `explain CODE`, `explain MODEL TENSOR`, `explain FUSION [TENSOR]`.
final class ExplainVerb extends Verb {
    ExplainVerb(Session session) {
        super(
                session,
                "explain",
                "look",
                "Explains an error code, where each piece of a tensor lies and what becomes of its name, or a fusion",
                "explain K2103\nexplain actor model.embed_tokens.weight",
                List.of(
                        Parameter.required("CODE|MODEL", ValueKind.CODE),
                        Parameter.optional("TENSOR", ValueKind.TENSOR)));
    }

    @Override
    Status run(Invocation call) {
        Optional<Code> code = Code.parse(call.word(0));
        if (code.isPresent()) {
            ErrorPages.sheet(code.get(), call.console().width()).print(call.console());
            return Status.DONE;
        }
        boolean model = session().names(call.word(0));
        if (!model && call.word(0).matches("[kK]\\d+")) {
            throw new Fault(
                    Code.K1011,
                    "there is no error code " + call.word(0),
                    "codes are K and four digits",
                    "the nearest is "
                            + Nearest.to(call.word(0), codes(), 1).stream()
                                    .findFirst()
                                    .orElse("K1001"));
        }
        Model chosen = model ? session().model(call.word(0)) : session().model();
        if (chosen instanceof FusedModel fused) {
            fused(fused, model && call.words().size() == 1, call).print(call.console());
            return Status.DONE;
        }
        if (model && call.words().size() == 1) {
            ModelSheets.info(chosen).print(call.console());
            return Status.DONE;
        }
        tensor(chosen, call.words().getLast()).print(call.console());
        return Status.DONE;
    }

    private Sheet fused(FusedModel model, boolean whole, Invocation call) {
        if (whole) {
            return FusionSheets.explained(model);
        }
        String name = FusionSheets.tensorNamed(model, call.words().getLast());
        return session()
                .work(
                        "explain",
                        job -> FusionSheets.tensor(model, name, call.console().format()));
    }

    private static List<String> codes() {
        return Arrays.stream(Code.values()).map(Code::name).toList();
    }

    private Sheet tensor(Model model, String name) {
        Checkpoint checkpoint = model.checkpoint()
                .orElseThrow(() -> new Fault(
                        Code.K1003,
                        model.name() + " is a fusion",
                        "its tensors lie in no file",
                        "explain its parents"));
        NamedTensor named = NamedTensor.of(model, name);
        Layout layout = named.layout()
                .orElseThrow(() -> new Fault(
                        Code.K1005,
                        named.name() + " lies in no file as it is",
                        "it is computed from others: " + named.stored(),
                        "explain " + model.name() + " " + named.stored()));
        return ExplainSheets.pieces(named, layout, checkpoint, session().console());
    }
}
