package dev.kintsugi.shell;

import dev.kintsugi.architecture.Ledger;
import dev.kintsugi.architecture.LeftOut;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The account in lines.
final class LedgerText {
    private LedgerText() {}

    static List<String> lines(Ledger ledger) {
        List<String> lines = new ArrayList<>();
        lines.add("in       " + entry(ledger.tensorsIn(), ledger.elementsIn(), ledger.bytesIn()));
        Map<String, List<LeftOut>> byReason = new LinkedHashMap<>();
        ledger.leftOut()
                .forEach(l -> byReason.computeIfAbsent(l.why(), w -> new ArrayList<>())
                        .add(l));
        byReason.forEach((why, left) -> lines.add("left out " + Counted.of(left.size(), "tensor") + ", "
                + Units.exact(
                        left.stream().mapToLong(l -> l.spec().elementCount()).sum()) + " parameters: "
                + left.getFirst().stored() + (left.size() > 1 ? ", …" : "") + " (" + why + ")"));
        if (ledger.split() > 0) {
            lines.add("split    " + Counted.of(ledger.split(), "tensor") + " of fused experts");
        }
        if (ledger.renamed() > 0) {
            lines.add("renamed  " + Counted.of(ledger.renamed(), "tensor"));
        }
        if (ledger.adapterTensors() > 0) {
            lines.add("adapter  " + Counted.of(ledger.adapterTensors(), "tensor") + ", "
                    + Units.exact(ledger.adapterElements()) + " parameters");
        }
        lines.add("out      " + entry(ledger.tensorsOut(), ledger.elementsOut(), ledger.bytesOut()));
        return lines;
    }

    private static String entry(long tensors, long elements, long bytes) {
        return Counted.of(tensors, "tensor") + ", " + Units.exact(elements) + " parameters, " + Units.exact(bytes)
                + " bytes";
    }
}
