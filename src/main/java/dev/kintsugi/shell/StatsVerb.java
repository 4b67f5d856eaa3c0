package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.inspect.Spectrum;
import dev.kintsugi.inspect.Statistics;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// `stats [MODEL] [SEL…]`.
final class StatsVerb extends Verb {
    StatsVerb(Session session) {
        super(
                session,
                "stats",
                "look",
                "Statistics of every tensor and of all together: range, moments, zeros, what is not finite",
                "stats actor layers.0.**",
                List.of(Parameter.optional("MODEL", ValueKind.MODEL), Parameter.any("SEL", ValueKind.SELECTOR)),
                OptionSpec.flag("spectrum", "singular values of each matrix: norms, stable and effective rank"),
                OptionSpec.value("values", "N", ValueKind.TEXT, "with --spectrum, singular values to list; 6"));
    }

    @Override
    String more() {
        return "Mean and deviation are of the finite elements. Tensors are read in blocks, each once.\n"
            + "Stable rank is the squared Frobenius norm over the squared greatest singular value; effective rank\n"
            + "is exp of the entropy of the singular values divided by their sum (Roy, Vetterli, 2007). The method\n"
            + "column says how they were found: direct and gram give all of them, sketch the 32 greatest.";
    }

    @Override
    Status run(Invocation call) {
        Choice choice = Choice.of(call.words(), session());
        SequencedMap<String, Tensor> chosen = choice.tensors();
        choice.model().checkUnchanged();
        if (call.has("spectrum")) {
            int listed =
                    call.number("values", 1).map(n -> (int) Math.min(n, 1000)).orElse(6);
            spectra(choice, chosen, listed).print(call.console());
            return Status.DONE;
        }
        Statistics statistics = session()
                .reading(
                        "stats",
                        List.of(choice.model()),
                        job -> Statistics.of(StateDict.of(chosen), name -> true, job));
        StatsSheets.statistics(choice, statistics).print(call.console());
        return Status.DONE;
    }

    private Sheet spectra(Choice choice, SequencedMap<String, Tensor> chosen, int listed) {
        Map<String, Spectrum> spectra = new LinkedHashMap<>();
        List<String> without = new ArrayList<>();
        Map<String, Fault> refused = new LinkedHashMap<>();
        session().reading("spectrum", List.of(choice.model()), job -> {
            chosen.forEach((name, tensor) -> {
                if (tensor.spec().shape().ndim() != 2 || !tensor.spec().dtype().isFloat()) {
                    without.add(name);
                    return;
                }
                try {
                    spectra.put(name, Spectrum.of(tensor, job));
                } catch (Fault fault) {
                    if (fault.code() != Code.K1003) {
                        throw fault;
                    }
                    refused.put(name, fault);
                }
            });
            return spectra;
        });
        if (spectra.isEmpty() && !refused.isEmpty()) {
            var first = refused.entrySet().iterator().next();
            throw first.getValue().at(first.getKey());
        }
        if (spectra.isEmpty()) {
            throw new Fault(
                    Code.K1005,
                    "no matrix of real numbers is among the " + Counted.of(chosen.size(), "tensor") + " chosen",
                    "singular values are those of a matrix",
                    "choose others, such as: stats " + choice.model().name() + " --spectrum 'shape:*,*'");
        }
        Sheet sheet = StatsSheets.spectra(choice, spectra, without.size(), listed);
        sheet.fact("left_out", List.copyOf(refused.keySet()));
        refused.forEach((name, fault) -> sheet.below("left out: " + name + ": " + fault.what()));
        return sheet;
    }
}
