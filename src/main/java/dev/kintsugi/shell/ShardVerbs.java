package dev.kintsugi.shell;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import java.util.List;

/// The verbs that look at where things lie: `shards`, `mesh`, `placements`, `tensors`.
final class ShardVerbs {
    private ShardVerbs() {}

    private static Checkpoint checkpoint(Model model) {
        return model.checkpoint()
                .orElseThrow(() -> new Fault(
                        Code.K1003,
                        model.name() + " is a fusion and has no files",
                        "the command looks at the files of a checkpoint",
                        "name one of the models it is made of; see: models"));
    }

    private static Model model(Invocation call) {
        return call.words().isEmpty() ? call.session().model() : call.session().model(call.word(0));
    }

    private static final OptionSpec ALL =
            OptionSpec.flag("all", "one line a tensor; else layers that are alike share one");

    private static boolean collapses(Invocation call) {
        return !call.has("all") && call.console().format() == OutputFormat.TABLE;
    }

    /// `shards [MODEL]`.
    static final class Shards extends Verb {
        Shards(Session session) {
            super(
                    session,
                    "shards",
                    "look",
                    "Lists the files: rank, mesh coordinate, tensors, bytes, modified, missing or damaged",
                    "shards actor",
                    List.of(Parameter.optional("MODEL", ValueKind.MODEL)),
                    OptionSpec.flag(
                            "ribbon",
                            "draw each rank's flat buffers instead: a letter a parameter, with boundaries and"
                                    + " padding"));
        }

        @Override
        Status run(Invocation call) {
            Model model = model(call);
            if (call.has("ribbon")) {
                RibbonSheet.of(model, checkpoint(model), call.console()).print(call.console());
                return Status.DONE;
            }
            ShardSheets.shards(model, checkpoint(model)).print(call.console());
            return Status.DONE;
        }
    }

    /// `mesh [MODEL]`.
    static final class Mesh extends Verb {
        Mesh(Session session) {
            super(
                    session,
                    "mesh",
                    "look",
                    "Draws the device mesh: named dims, rank numbers",
                    "mesh actor",
                    List.of(Parameter.optional("MODEL", ValueKind.MODEL)));
        }

        @Override
        Status run(Invocation call) {
            Model model = model(call);
            ShardSheets.mesh(model, checkpoint(model)).print(call.console());
            return Status.DONE;
        }
    }

    /// `placements [MODEL] [SEL…]`.
    static final class Placements extends Verb {
        Placements(Session session) {
            super(
                    session,
                    "placements",
                    "look",
                    "Tells for each tensor how it lies over the ranks: global shape, placement per mesh dim, local"
                            + " shapes, replicas",
                    "placements actor layers.0.**",
                    List.of(Parameter.optional("MODEL", ValueKind.MODEL), Parameter.any("SEL", ValueKind.SELECTOR)),
                    ALL,
                    OptionSpec.flag("draw", "draw one tensor, tiled by who holds what: a letter and a colour a rank"),
                    OptionSpec.value(
                            "at", "N", ValueKind.TEXT, "with --draw, the index of dims that are not drawn; 0"));
        }

        @Override
        Status run(Invocation call) {
            if (call.has("draw")) {
                draw(call);
                return Status.DONE;
            }
            Choice choice = Choice.of(call.words(), session());
            ShardSheets.placements(choice, checkpoint(choice.model()), collapses(call))
                    .print(call.console());
            return Status.DONE;
        }
    }

    private static void draw(Invocation call) {
        boolean oneTensor = call.words().size() == 1
                ? !call.session().names(call.word(0))
                : call.words().size() == 2;
        if (!oneTensor) {
            throw new Fault(
                    Code.K1003,
                    "--draw draws one tensor",
                    "it needs its name",
                    "for example: placements actor model.embed_tokens.weight --draw");
        }
        NamedTensor named = NamedTensor.of(call.words(), call.session());
        Checkpoint checkpoint = checkpoint(named.model());
        Layout layout = named.layout()
                .orElseThrow(() -> new Fault(
                        Code.K1005,
                        named.name() + " lies in no file as it is",
                        "it is computed from others: " + named.stored(),
                        "draw that: placements " + named.model().name() + " " + named.stored() + " --draw"));
        long fixed = call.number("at", 0).orElse(0L);
        ExplainSheets.drawing(named, layout, checkpoint, fixed, call.console()).print(call.console());
    }

    /// `tensors [MODEL] [SEL…]`.
    static final class Tensors extends Verb {
        Tensors(Session session) {
            super(
                    session,
                    "tensors",
                    "look",
                    "Lists tensors under their names on disk: dtype, shape, bytes",
                    "tensors actor dtype:bf16 '!**.bias'",
                    List.of(Parameter.optional("MODEL", ValueKind.MODEL), Parameter.any("SEL", ValueKind.SELECTOR)),
                    ALL);
        }

        @Override
        Status run(Invocation call) {
            Choice choice = Choice.of(call.words(), session());
            ShardSheets.tensors(choice, collapses(call)).print(call.console());
            return Status.DONE;
        }
    }
}
