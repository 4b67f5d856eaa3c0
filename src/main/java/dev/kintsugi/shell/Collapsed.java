package dev.kintsugi.shell;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Names that differ in numbers only, as one line: `model.layers.{0..23}.mlp.up_proj.weight`.
final class Collapsed {
    private static final Pattern NUMBER = Pattern.compile("(?<=\\.)\\d{1,18}(?=\\.)");

    private Collapsed() {}

    /// Names that share a line, and the line.
    record Group(String text, List<String> names) {
        Group {
            names = List.copyOf(names);
        }

        /// The line with how many names share it: `model.layers.{0..23}.mlp.up_proj.weight ×24`.
        String label() {
            return names.size() == 1 ? text : text + " ×" + names.size();
        }
    }

    /// The groups of `names`, in the order of their first; only names with equal `facts` share one.
    static List<Group> of(List<String> names, Function<String, String> facts) {
        Map<String, List<String>> groups = new LinkedHashMap<>();
        for (String name : names) {
            String key = NUMBER.matcher(name).replaceAll("#") + " " + facts.apply(name);
            groups.computeIfAbsent(key, k -> new ArrayList<>()).add(name);
        }
        return groups.values().stream().map(g -> new Group(text(g), g)).toList();
    }

    private static String text(List<String> names) {
        List<TreeSet<Long>> numbers = new ArrayList<>();
        for (String name : names) {
            Matcher matcher = NUMBER.matcher(name);
            for (int i = 0; matcher.find(); i++) {
                if (numbers.size() <= i) {
                    numbers.add(new TreeSet<>());
                }
                numbers.get(i).add(Long.parseLong(matcher.group()));
            }
        }
        int[] at = {0};
        return NUMBER.matcher(names.getFirst()).replaceAll(m -> Matcher.quoteReplacement(range(numbers.get(at[0]++))));
    }

    private static String range(TreeSet<Long> numbers) {
        if (numbers.size() == 1) {
            return String.valueOf(numbers.first());
        }
        if (numbers.last() - numbers.first() + 1 == numbers.size()) {
            return "{" + numbers.first() + ".." + numbers.last() + "}";
        }
        return "{" + numbers.stream().map(String::valueOf).collect(Collectors.joining(",")) + "}";
    }
}
