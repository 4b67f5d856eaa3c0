package dev.kintsugi.architecture;

import java.util.List;

/// The account of a consolidation: what went in, what comes out, and what became of the rest.
///
/// **Units.** Tensors, elements and bytes of the dense tensors. `in` = `out` + left out, up to copies that
/// were asked for.
public record Ledger(
        long tensorsIn,
        long elementsIn,
        long bytesIn,
        long tensorsOut,
        long elementsOut,
        long bytesOut,
        long adapterTensors,
        long adapterElements,
        int renamed,
        int split,
        List<LeftOut> leftOut,
        List<String> tied) {
    public Ledger {
        leftOut = List.copyOf(leftOut);
        tied = List.copyOf(tied);
    }
}
