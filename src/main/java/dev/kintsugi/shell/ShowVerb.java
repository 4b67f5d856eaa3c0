package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.inspect.TensorSlice;
import dev.kintsugi.inspect.Values;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// `show [MODEL] TENSOR`.
final class ShowVerb extends Verb {
    ShowVerb(Session session) {
        super(
                session,
                "show",
                "look",
                "Shows exact values of a tensor, or of the piece one rank holds",
                "show actor model.norm.weight --slice :8",
                List.of(Parameter.optional("MODEL", ValueKind.TENSOR), Parameter.required("TENSOR", ValueKind.TENSOR)),
                OptionSpec.value("slice", "SLICE", ValueKind.TEXT, "what of it, as in '0:4,:8' or '-1,::2'"),
                OptionSpec.value("rank", "R", ValueKind.TEXT, "the local tensor of this rank instead of the whole"));
    }

    @Override
    String more() {
        return "Values are exact: the shortest decimal that reads back as the same bits.";
    }

    @Override
    Status run(Invocation call) {
        NamedTensor named = NamedTensor.of(call.words(), session());
        Optional<Integer> rank = call.number("rank", 0).map(r -> (int) Math.min(r, Integer.MAX_VALUE));
        Tensor tensor = rank.map(r -> local(named, r)).orElse(named.tensor());
        TensorSlice slice = call.value("slice").map(TensorSlice::parse).orElse(TensorSlice.all());
        Values.Layout usual = Values.Layout.defaults();
        Values values = Values.show(
                tensor,
                slice,
                new Values.Layout(
                        usual.threshold(), usual.edge(), call.console().width()));
        named.model().checkUnchanged();
        Sheet sheet = Sheet.of("show")
                .fact("model", named.model().name())
                .fact("tensor", named.name())
                .fact("rank", rank)
                .fact("dtype", tensor.spec().dtype().name())
                .fact("shape", dims(tensor.spec().shape().toArray()))
                .fact("slice", call.value("slice").orElse(""))
                .fact("slice_shape", dims(values.shape().toArray()))
                .fact("elided", values.elided())
                .fact("values", values.cells());
        sheet.line(named.name() + "  " + tensor.spec()
                + rank.map(r -> "  on rank " + r).orElse("")
                + call.value("slice").map(s -> "  slice " + s).orElse(""));
        values.text().lines().forEach(sheet::line);
        if (values.elided()) {
            sheet.line("(of " + Units.exact(values.shape().elementCount()) + " values; --slice shows others)");
        }
        sheet.print(call.console());
        return Status.DONE;
    }

    static List<Long> dims(long[] dims) {
        return Arrays.stream(dims).boxed().toList();
    }

    private static Tensor local(NamedTensor named, int rank) {
        Checkpoint checkpoint = named.model()
                .checkpoint()
                .filter(c -> !c.ranks().isEmpty())
                .orElseThrow(() -> new Fault(
                        Code.K1003,
                        named.model().name() + " has no ranks",
                        "its files belong to no rank",
                        "leave --rank out"));
        StateDict view = checkpoint.ranks().get(rank);
        if (view == null) {
            throw new Fault(
                    Code.K1003,
                    "--rank " + rank + ": " + named.model().name() + " has no file of it",
                    "it has ranks " + Ranks.text(checkpoint.ranks().keySet()) + " of " + checkpoint.worldSize(),
                    "give one of them");
        }
        return view.find(named.stored())
                .orElseThrow(() -> new Fault(
                        Code.K1005,
                        "rank " + rank + " holds nothing of " + named.stored(),
                        "other ranks do",
                        "see who: explain " + named.model().name() + " " + named.name()));
    }
}
