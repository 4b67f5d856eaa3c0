package dev.kintsugi.selector;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A choice of tensors.
public final class Selector implements Predicate<Subject> {
    private static final Pattern SIZE = Pattern.compile("(<=|>=|<|>|=)?(\\d+(?:\\.\\d+)?)([kmgt]?)i?b?");
    private static final int MAX_RANGE = 100_000;

    private final String text;
    private final List<Predicate<Subject>> terms;

    private Selector(String text, List<Predicate<Subject>> terms) {
        this.text = text;
        this.terms = terms;
    }

    /// Every tensor.
    public static Selector all() {
        return new Selector("**", List.of());
    }

    /// **Errors.** [Fault] `K1008` for a term that cannot be understood.
    public static Selector parse(List<String> terms) {
        List<Predicate<Subject>> parsed = new ArrayList<>();
        terms.forEach(t -> parsed.add(term(t)));
        return new Selector(terms.isEmpty() ? "**" : String.join(" ", terms), parsed);
    }

    @Override
    public boolean test(Subject subject) {
        return terms.stream().allMatch(t -> t.test(subject));
    }

    /// Whether a tensor of which nothing but the name is known is chosen.
    public boolean testName(String name) {
        return test(Subject.of(name, new TensorSpec(DType.BF16, Shape.SCALAR)));
    }

    /// As it was written.
    @Override
    public String toString() {
        return text;
    }

    private static Predicate<Subject> term(String term) {
        if (term.startsWith("!")) {
            return term(term.substring(1)).negate();
        }
        int colon = term.indexOf(':');
        String key = colon < 0 ? "" : term.substring(0, colon);
        String value = term.substring(colon + 1);
        return switch (key) {
            case "" -> pattern(term);
            case "dtype" -> dtype(term, value);
            case "shape" -> shape(value);
            case "size" -> size(term, value);
            case "rank" -> rank(term, value);
            case "placement" -> placement(value);
            default -> throw bad(term, "there is no fact " + key, "facts are dtype: shape: size: rank: placement:");
        };
    }

    private static Predicate<Subject> dtype(String term, String value) {
        DType dtype = DType.parse(value)
                .orElseThrow(() -> bad(term, "there is no dtype " + value, "dtypes are " + List.of(DType.values())));
        return s -> s.spec().dtype() == dtype;
    }

    private static Predicate<Subject> shape(String value) {
        String[] wanted = value.replaceAll("[\\[\\] ]", "").split("[,x]", -1);
        return s -> {
            Shape shape = s.spec().shape();
            boolean fits = shape.ndim() == wanted.length;
            for (int dim = 0; fits && dim < wanted.length; dim++) {
                fits = wanted[dim].equals("*") || wanted[dim].equals(Long.toString(shape.dim(dim)));
            }
            return fits;
        };
    }

    private static Predicate<Subject> size(String term, String value) {
        Matcher matcher = SIZE.matcher(value.toLowerCase(Locale.ROOT));
        if (!matcher.matches()) {
            throw bad(term, value + " is no size", "write for example size:>1g or size:<=64k");
        }
        long unit = 1L << (10 * "_kmgt".indexOf(matcher.group(3).isEmpty() ? "_" : matcher.group(3)));
        double bytes = Double.parseDouble(matcher.group(2)) * unit;
        String operator = matcher.group(1) == null ? "=" : matcher.group(1);
        return s -> {
            int order = Double.compare(s.spec().byteCount(), bytes);
            return switch (operator) {
                case "<" -> order < 0;
                case "<=" -> order <= 0;
                case ">" -> order > 0;
                case ">=" -> order >= 0;
                default -> order == 0;
            };
        };
    }

    private static Predicate<Subject> rank(String term, String value) {
        if (!value.matches("\\d{1,9}")) {
            throw bad(term, value + " is no rank", "write for example rank:3");
        }
        int rank = Integer.parseInt(value);
        return s -> s.ranks().contains(rank);
    }

    private static Predicate<Subject> placement(String value) {
        String wanted = value.toLowerCase(Locale.ROOT).replaceAll("[()]", "");
        return s -> s.placements().stream()
                .map(p -> p.toLowerCase(Locale.ROOT).replaceAll("[()]", ""))
                .anyMatch(p -> p.equals(wanted) || p.startsWith(wanted));
    }

    private static Predicate<Subject> pattern(String term) {
        if (term.isEmpty()) {
            throw bad(term, "it is empty", "write a name, or ** for all");
        }
        Pattern compiled = Pattern.compile("(?:.*\\.)?" + regex(term));
        return s -> compiled.matcher(s.name()).matches();
    }

    private static String regex(String glob) {
        StringBuilder regex = new StringBuilder();
        int at = 0;
        while (at < glob.length()) {
            char c = glob.charAt(at);
            if (glob.startsWith("**", at)) {
                regex.append(".*");
                at += 2;
            } else if (c == '*') {
                regex.append("[^.]*");
                at++;
            } else if (c == '{') {
                int close = glob.indexOf('}', at);
                if (close < 0) {
                    throw bad(glob, "a } is missing", "write {0..3} or {a,b}");
                }
                regex.append(alternatives(glob, glob.substring(at + 1, close)));
                at = close + 1;
            } else {
                regex.append(Pattern.quote(String.valueOf(c)));
                at++;
            }
        }
        return regex.toString();
    }

    private static String alternatives(String glob, String inner) {
        List<String> choices = new ArrayList<>();
        for (String part : inner.split(",", -1)) {
            Matcher range = Pattern.compile("(\\d{1,9})\\.\\.(\\d{1,9})").matcher(part);
            if (!range.matches()) {
                choices.add(Pattern.quote(part));
                continue;
            }
            int from = Integer.parseInt(range.group(1));
            int to = Integer.parseInt(range.group(2));
            if (to < from || to - from > MAX_RANGE) {
                throw bad(glob, "{" + part + "} is no range", "write the smaller number first: {0..3}");
            }
            for (int i = from; i <= to; i++) {
                choices.add(Integer.toString(i));
            }
        }
        return "(?:" + String.join("|", choices) + ")";
    }

    private static Fault bad(String term, String why, String next) {
        return new Fault(Code.K1008, "the selector '" + term + "' cannot be understood", why, next);
    }
}
