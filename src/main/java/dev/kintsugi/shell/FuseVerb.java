package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.fusion.FusedTensor;
import dev.kintsugi.fusion.Preview;
import dev.kintsugi.tensor.Tensor;
import java.util.List;
import java.util.Optional;

/// `fuse METHOD MODEL… --as NAME`.
final class FuseVerb extends Verb {
    private static final int SHOWN = 4;

    FuseVerb(Session session) {
        super(
                session,
                "fuse",
                "fuse",
                "Makes one model of several; nothing is computed until somebody looks at it or exports it",
                "fuse weighted-average actor critic --weights 0.3,0.7 --as blend\n"
                        + "fuse ties actor critic --base base --density 0.5 --layers 'layers.{0..1}.**' --as blend\n"
                        + "fuse --from merge.yml --as blend",
                List.of(Parameter.optional("METHOD", ValueKind.METHOD), Parameter.any("MODEL", ValueKind.MODEL)),
                FuseArguments.OPTIONS.toArray(OptionSpec[]::new));
    }

    @Override
    String more() {
        return """
            A model is NAME, BASE+ADAPTER (an open LoRA adapter is merged in), NAME@RANK or NAME@* (ranks).
            A value is a number, a gradient over the layers a..b or [a,b,c], one for each model
            (a=0.3,b=0.7; weights also in order: 0.3,0.7), or for some tensors: 'a@layers.{0..3}.**=0.9',
            '@**.bias=0'. Methods and their options: methods, methods NAME.\
            """;
    }

    @Override
    Status run(Invocation call) {
        if (call.has("preview") && call.words().isEmpty()) {
            preview(call, existing(call));
            return Status.DONE;
        }
        if (call.has("preview")) {
            preview(call, FuseArguments.define(call, call.value("as").orElse("result")));
            return Status.DONE;
        }
        String name = call.value("as")
                .orElseThrow(() -> new Fault(
                        Code.K1003,
                        "fuse needs --as NAME",
                        "the result is a model like any other, and models have names",
                        "add for example --as blend"));
        Opening.checkName(name);
        checkFree(call, name);
        FusedModel fused;
        if (call.has("from")) {
            fused = new MergeFile(call).define(name);
        } else if (call.has("crop-vocabulary")) {
            throw new Fault(
                    Code.K7002,
                    "--crop-vocabulary without --from",
                    "it follows what mergekit does with embeddings of different lengths",
                    "leave embeddings and head out with --layers instead");
        } else {
            fused = FuseArguments.define(call, name);
        }
        fused.hub();
        if (call.has("redefine")) {
            session().find(name).ifPresent(old -> session().close(name));
        }
        session().add(fused);
        FusionSheets.defined(fused).print(call.console());
        DimensionAdvice.of(fused).forEach(call.console()::note);
        return Status.DONE;
    }

    private void checkFree(Invocation call, String name) {
        Optional<Model> before = Optional.ofNullable(session().models().get(name));
        if (before.isEmpty()) {
            return;
        }
        if (!call.has("redefine")) {
            throw Session.taken(name);
        }
        if (!(before.get() instanceof FusedModel)) {
            throw new Fault(
                    Code.K1009,
                    name + " is an opened checkpoint",
                    "--redefine replaces a fusion by another",
                    "give the fusion another name");
        }
        FusedModel.refuseIfUsed(before.get(), session());
    }

    private FusedModel existing(Invocation call) {
        Model model = call.value("as").map(session()::model).orElseGet(session()::model);
        if (model instanceof FusedModel fused) {
            return fused;
        }
        throw new Fault(
                Code.K1003,
                model.name() + " is no fusion",
                "--preview shows a result beside what it is made of",
                "say what to fuse: fuse METHOD MODEL… --preview TENSOR");
    }

    private void preview(Invocation call, FusedModel model) {
        String name = FusionSheets.tensorNamed(model, call.value("preview").orElse(""));
        Tensor tensor = model.tensors().tensor(name);
        if (tensor instanceof FusedTensor fused) {
            Preview preview =
                    session().reading("preview", List.of(model), job -> Preview.of(model.name(), fused, SHOWN));
            FusionSheets.preview(model, name, fused, preview).print(call.console());
            return;
        }
        FusionSheets.tensor(model, name, call.console().format()).print(call.console());
    }
}
