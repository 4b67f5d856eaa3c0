package dev.kintsugi.shell;

import dev.kintsugi.architecture.NaturalOrder;
import dev.kintsugi.tensor.StateDict;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/// Names of tensors as a tree of their segments.
final class NameTree {
    private final String name;
    private final Map<String, NameTree> children = new LinkedHashMap<>();
    private long tensors;
    private long parameters;
    private long bytes;
    private String spec = "";

    private NameTree(String name) {
        this.name = name;
    }

    /// A branch or a leaf, as it is shown.
    ///
    /// @param line its name behind the lines that lead to it
    /// @param spec of a leaf, else empty
    record Node(
            String line, String name, String path, int depth, long tensors, long parameters, long bytes, String spec) {}

    /// The tree of `dict`; with `collapse` names that differ in numbers only are one.
    static NameTree of(StateDict dict, boolean collapse) {
        List<String> names = new ArrayList<>(dict.names());
        names.sort(NaturalOrder.INSTANCE);
        List<Collapsed.Group> groups = collapse
                ? Collapsed.of(names, n -> dict.tensor(n).spec().toString())
                : names.stream().map(n -> new Collapsed.Group(n, List.of(n))).toList();
        NameTree root = new NameTree("");
        groups.forEach(group -> root.add(segments(group.text()), group, dict));
        return root;
    }

    /// Segments of a name; dots within braces are none.
    private static List<String> segments(String name) {
        return List.of(name.split("\\.(?![^{}]*\\})", -1));
    }

    private void add(List<String> path, Collapsed.Group group, StateDict dict) {
        tensors += group.names().size();
        for (String one : group.names()) {
            parameters += dict.tensor(one).spec().elementCount();
            bytes += dict.tensor(one).spec().byteCount();
        }
        if (path.isEmpty()) {
            spec = dict.tensor(group.names().getFirst()).spec().toString();
            return;
        }
        children.computeIfAbsent(path.getFirst(), NameTree::new).add(path.subList(1, path.size()), group, dict);
    }

    /// Hands over every node down to `depth`, those before their children.
    void walk(int depth, Consumer<Node> visitor) {
        walk("", "", 1, depth, visitor);
    }

    private void walk(String lead, String path, int level, int depth, Consumer<Node> visitor) {
        if (level > depth) {
            return;
        }
        int left = children.size();
        for (NameTree child : children.values()) {
            left--;
            NameTree shown = child;
            String label = child.name;
            while (shown.children.size() == 1 && shown.spec.isEmpty()) {
                shown = shown.children.values().iterator().next();
                label = label + "." + shown.name;
            }
            String full = path.isEmpty() ? label : path + "." + label;
            visitor.accept(new Node(
                    lead + (left == 0 ? "└─ " : "├─ ") + label,
                    label,
                    full,
                    level,
                    shown.tensors,
                    shown.parameters,
                    shown.bytes,
                    shown.spec));
            shown.walk(lead + (left == 0 ? "   " : "│  "), full, level + 1, depth, visitor);
        }
    }
}
