package dev.kintsugi.fusion;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Sorts the tensors of a fusion into couplings: tensors whose groups share their attention.
///
/// A key/value head goes with its query heads (rows of q, k and v and their biases, columns of o), an MLP
/// neuron with its row of gate and up and its column of down. Mixing a neuron's gate from one expert with its
/// down projection from another destroys what either learned.
final class AttentionUnits {
    private static final Pattern HEADS = Pattern.compile("(.*)\\.(?:(q|k|v)_proj\\.(?:weight|bias)|o_proj\\.weight)");
    private static final Pattern NEURONS =
            Pattern.compile("(.*)\\.(?:((?:gate|up)_proj|w1|w3)\\.(?:weight|bias)|(?:down_proj|w2)\\.weight)");
    private static final Pattern ROWS =
            Pattern.compile("(?:.*\\.)?(?:lm_head|embed_out|\\w*embed\\w*|wte|wpe|score)(?:\\..*)?");
    private static final Pattern HEAD_NORM = Pattern.compile("(.*\\.)?[qk]_norm\\.weight");

    /// A tensor of a coupling and how its elements fall into the coupling's groups.
    record Member(Task task, Grouping grouping) {}

    /// Tensors that share attention. `groups` says what a group is.
    record Coupling(List<Member> members, String groups) {
        int groupCount() {
            return members.getFirst().grouping().count();
        }
    }

    private final List<Task> tasks;

    AttentionUnits(List<Task> tasks) {
        this.tasks = tasks;
    }

    List<Coupling> couplings() {
        List<Coupling> couplings = new ArrayList<>();
        Map<String, List<Task>> families = new LinkedHashMap<>();
        List<Task> alone = new ArrayList<>();
        for (Task task : tasks) {
            String granularity = task.parameters().word("granularity");
            if (granularity.equals("unit")) {
                family(task)
                        .ifPresentOrElse(
                                key -> families.computeIfAbsent(key, k -> new ArrayList<>())
                                        .add(task),
                                () -> alone.add(task));
            } else {
                couplings.add(single(task, grouping(task, granularity), granularity));
            }
        }
        families.forEach((key, family) -> couplings.addAll(couple(key.endsWith("#heads"), family)));
        for (Task task : alone) {
            boolean rows = families.isEmpty() || ROWS.matcher(task.name()).matches();
            couplings.add(
                    rows
                            ? single(task, Grouping.lastAxis(task.shape()), "row")
                            : single(task, Grouping.whole(task.shape()), "tensor"));
        }
        return couplings;
    }

    private static Coupling single(Task task, Grouping grouping, String groups) {
        return new Coupling(List.of(new Member(task, grouping)), groups);
    }

    private static Optional<String> family(Task task) {
        Matcher heads = HEADS.matcher(task.name());
        if (heads.matches()) {
            return Optional.of(heads.group(1) + "#heads");
        }
        Matcher neurons = NEURONS.matcher(task.name());
        return neurons.matches() ? Optional.of(neurons.group(1) + "#neurons") : Optional.empty();
    }

    private Grouping grouping(Task task, String granularity) {
        return switch (granularity) {
            case "tensor" -> Grouping.whole(task.shape());
            case "row" -> Grouping.lastAxis(task.shape());
            case "column" -> Grouping.columns(task.shape());
            case "head-rows" -> Grouping.blocksOfRows(task.shape(), neededHeadDim(task));
            case "head-columns" -> Grouping.blocksOfColumns(task.shape(), neededHeadDim(task));
            case "head" -> heads(task);
            default ->
                throw task.badOption(
                        "granularity '" + granularity + "' is not known",
                        "attention is given per tensor, row, column, head or unit",
                        "give --granularity unit");
        };
    }

    private Grouping heads(Task task) {
        Matcher matcher = HEADS.matcher(task.name());
        if (!matcher.matches()) {
            return Grouping.lastAxis(task.shape());
        }
        long headDim = neededHeadDim(task);
        return matcher.group(2) == null ? Grouping.blocksOfColumns(task.shape(), headDim) : rows(task, headDim);
    }

    private static Grouping rows(Task task, long rows) {
        return task.shape().ndim() < 2
                ? Grouping.blocksOfElements(task.shape(), rows)
                : Grouping.blocksOfRows(task.shape(), rows);
    }

    private long neededHeadDim(Task task) {
        return headDim(task)
                .orElseThrow(() -> task.badOption(
                        "the size of a head is not known", "granularity head needs it", "give --head-dim"));
    }

    /// The size of a head: as given, or the length of a head's norm.
    private OptionalLong headDim(Task task) {
        var given = task.parameters().numberIfGiven("head_dim");
        if (given.isPresent()) {
            return OptionalLong.of((long) given.getAsDouble());
        }
        return tasks.stream()
                .filter(t -> HEAD_NORM.matcher(t.name()).matches() && t.shape().ndim() == 1)
                .mapToLong(t -> t.shape().dim(0))
                .findFirst();
    }

    /// One coupling of all of a family where their sizes fit together, else each by rows.
    private List<Coupling> couple(boolean heads, List<Task> family) {
        long units = heads ? keyValueHeads(family) : neurons(family);
        List<Member> members = new ArrayList<>();
        for (Task task : family) {
            boolean output = task.name().endsWith(heads ? "o_proj.weight" : "down_proj.weight")
                    || task.name().endsWith(".w2.weight");
            int dim = output ? task.shape().ndim() - 1 : 0;
            long extent = task.shape().ndim() == 0 ? 0 : task.shape().dim(dim);
            if (units <= 0 || task.shape().ndim() > 2 || extent == 0 || extent % units != 0) {
                return family.stream()
                        .map(t -> single(t, Grouping.lastAxis(t.shape()), "row"))
                        .toList();
            }
            members.add(new Member(
                    task,
                    output ? Grouping.blocksOfColumns(task.shape(), extent / units) : rows(task, extent / units)));
        }
        return List.of(new Coupling(List.copyOf(members), heads ? "key/value head" : "MLP neuron"));
    }

    private long keyValueHeads(List<Task> family) {
        OptionalLong headDim = headDim(family.getFirst());
        if (headDim.isEmpty()) {
            return 0;
        }
        return family.stream()
                .filter(t -> t.name().contains(".k_proj.") || t.name().contains(".v_proj."))
                .mapToLong(t ->
                        t.shape().dim(0) % headDim.getAsLong() == 0 ? t.shape().dim(0) / headDim.getAsLong() : 0)
                .findFirst()
                .orElse(0);
    }

    private static long neurons(List<Task> family) {
        return family.stream()
                .filter(t -> t.shape().ndim() == 2 && !t.name().endsWith("down_proj.weight"))
                .filter(t -> !t.name().endsWith(".w2.weight"))
                .mapToLong(t -> t.shape().dim(0))
                .findFirst()
                .orElse(0);
    }
}
