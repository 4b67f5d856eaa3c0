package dev.kintsugi.architecture;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Integer arithmetic over configuration keys: `num_attention_heads * head_dim`, `!(layer in mlp_only_layers)`.
///
/// Operators, loosest first: `||`, `&&`, `== != < <= > >= in`, `+ -`, `* / %`, `!`. True is 1. `size(key)`
/// counts the elements of a list or an object.
final class Expression {
    private static final Pattern TOKEN =
            Pattern.compile("\\s*(\\d+|[A-Za-z_][\\w.]*|\\|\\||&&|==|!=|<=|>=|[-+*/%()<>!])");

    /// What the keys of an expression mean.
    interface Values {
        /// **Errors.** [IllegalArgumentException] if there is no such key.
        long integer(String key);

        boolean contains(String key, long value);

        long size(String key);
    }

    private final List<String> tokens = new ArrayList<>();
    private final Values values;
    private int at;

    private Expression(String text, Values values) {
        this.values = values;
        Matcher matcher = TOKEN.matcher(text.strip());
        int end = 0;
        while (end < text.strip().length()) {
            if (!matcher.find(end) || matcher.start() != end) {
                throw new IllegalArgumentException("no expression: " + text);
            }
            tokens.add(matcher.group(1));
            end = matcher.end();
        }
    }

    /// The value of `text`. **Errors.** [IllegalArgumentException] for an unknown key or a malformed
    /// expression, [ArithmeticException] for an overflow or a division by zero.
    static long evaluate(String text, Values values) {
        Expression expression = new Expression(text, values);
        long value = expression.any();
        if (expression.at != expression.tokens.size()) {
            throw new IllegalArgumentException("no expression: " + text);
        }
        return value;
    }

    private boolean accept(String token) {
        if (at < tokens.size() && tokens.get(at).equals(token)) {
            at++;
            return true;
        }
        return false;
    }

    private long any() {
        long value = all();
        while (accept("||")) {
            long right = all();
            value = value != 0 || right != 0 ? 1 : 0;
        }
        return value;
    }

    private long all() {
        long value = comparison();
        while (accept("&&")) {
            long right = comparison();
            value = value != 0 && right != 0 ? 1 : 0;
        }
        return value;
    }

    private long comparison() {
        long left = sum();
        if (at >= tokens.size()) {
            return left;
        }
        String operator = tokens.get(at);
        if (operator.equals("in")) {
            at++;
            return values.contains(tokens.get(at++), left) ? 1 : 0;
        }
        boolean compares = switch (operator) {
            case "==", "!=", "<", "<=", ">", ">=" -> true;
            default -> false;
        };
        if (!compares) {
            return left;
        }
        at++;
        int order = Long.compare(left, sum());
        boolean holds = switch (operator) {
            case "==" -> order == 0;
            case "!=" -> order != 0;
            case "<" -> order < 0;
            case "<=" -> order <= 0;
            case ">" -> order > 0;
            default -> order >= 0;
        };
        return holds ? 1 : 0;
    }

    private long sum() {
        long value = product();
        while (true) {
            if (accept("+")) {
                value = Math.addExact(value, product());
            } else if (accept("-")) {
                value = Math.subtractExact(value, product());
            } else {
                return value;
            }
        }
    }

    private long product() {
        long value = factor();
        while (true) {
            if (accept("*")) {
                value = Math.multiplyExact(value, factor());
            } else if (accept("/")) {
                value = value / factor();
            } else if (accept("%")) {
                value = value % factor();
            } else {
                return value;
            }
        }
    }

    private long factor() {
        if (accept("!")) {
            return factor() == 0 ? 1 : 0;
        }
        if (accept("(")) {
            long value = any();
            if (!accept(")")) {
                throw new IllegalArgumentException("a ) is missing in " + tokens);
            }
            return value;
        }
        if (at >= tokens.size()) {
            throw new IllegalArgumentException("an operand is missing in " + tokens);
        }
        String token = tokens.get(at++);
        if (token.equals("size") && accept("(")) {
            long size = values.size(tokens.get(at++));
            accept(")");
            return size;
        }
        return Character.isDigit(token.charAt(0)) ? Long.parseLong(token) : values.integer(token);
    }
}
