package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import dev.kintsugi.tensor.StateDict;
import java.util.List;

/// `tree [MODEL]`.
final class TreeVerb extends Verb {
    TreeVerb(Session session) {
        super(
                session,
                "tree",
                "look",
                "Browses the names as a tree: what is below each, layers that are alike in one branch",
                "tree actor --depth 2",
                List.of(Parameter.optional("MODEL", ValueKind.MODEL), Parameter.any("SEL", ValueKind.SELECTOR)),
                OptionSpec.value("depth", "N", ValueKind.TEXT, "levels to show; all"),
                OptionSpec.flag("all", "every layer has its own branch"));
    }

    @Override
    Status run(Invocation call) {
        Choice choice = Choice.of(call.words(), session());
        StateDict chosen = StateDict.of(choice.tensors());
        boolean table = call.console().format() == OutputFormat.TABLE;
        int depth = call.number("depth", 1).map(n -> (int) Math.min(n, 1000)).orElse(1000);
        NameTree tree = NameTree.of(chosen, table && !call.has("all"));
        Sheet sheet = Sheet.of("tree")
                .fact("model", choice.model().name())
                .fact("selector", choice.selector().toString())
                .fact("tensors", (long) chosen.size())
                .fact("parameters", chosen.elementCount())
                .fact("bytes", chosen.byteCount())
                .rows("nodes")
                .column("name", "name")
                .column("path", "path")
                .dataOnly()
                .number("depth", "depth")
                .dataOnly()
                .number("tensors", "tensors")
                .number("parameters", "parameters")
                .ifRoom()
                .bytes("bytes", "bytes")
                .column("spec", "");
        sheet.line(choice.model().name() + "  " + Counted.of(chosen.size(), "tensor") + ", "
                + Units.count(chosen.elementCount()) + " parameters, " + Units.bytes(chosen.byteCount()));
        tree.walk(
                depth,
                node -> sheet.row(
                        table ? node.line() : node.name(),
                        node.path(),
                        (long) node.depth(),
                        node.tensors(),
                        table ? Units.count(node.parameters()) : node.parameters(),
                        node.bytes(),
                        node.spec()));
        sheet.print(call.console());
        return Status.DONE;
    }
}
