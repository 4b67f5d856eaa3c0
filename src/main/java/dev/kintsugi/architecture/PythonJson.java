package dev.kintsugi.architecture;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;

/// JSON as Python's `json.dumps(value, indent=2, sort_keys=True)` writes it.
public final class PythonJson {
    private PythonJson() {}

    public static String dumps(JsonNode value) {
        StringBuilder text = new StringBuilder();
        write(text, value, "\n");
        return text.toString();
    }

    private static void write(StringBuilder text, JsonNode node, String newline) {
        String inner = newline + "  ";
        if (node.isObject()) {
            TreeMap<String, JsonNode> sorted = new TreeMap<>();
            node.forEachEntry(sorted::put);
            List<String> members = new ArrayList<>();
            sorted.forEach((key, value) -> {
                StringBuilder member = new StringBuilder(quote(key)).append(": ");
                write(member, value, inner);
                members.add(member.toString());
            });
            enclose(text, '{', '}', members, newline);
        } else if (node.isArray()) {
            List<String> members = new ArrayList<>();
            node.forEach(value -> {
                StringBuilder member = new StringBuilder();
                write(member, value, inner);
                members.add(member.toString());
            });
            enclose(text, '[', ']', members, newline);
        } else if (node.isString()) {
            text.append(quote(node.asString()));
        } else if (node.isFloatingPointNumber()) {
            text.append(number(node.asDouble()));
        } else {
            text.append(node);
        }
    }

    private static void enclose(StringBuilder text, char open, char close, List<String> members, String newline) {
        text.append(open);
        String inner = newline + "  ";
        if (!members.isEmpty()) {
            text.append(inner).append(String.join("," + inner, members)).append(newline);
        }
        text.append(close);
    }

    /// As Python's `repr` writes a float: plain from 1e-4 to 1e16, else with an exponent of two digits at
    /// least.
    static String number(double value) {
        if (Double.isNaN(value)) {
            return "NaN";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "Infinity" : "-Infinity";
        }
        BigDecimal decimal = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        int exponent = decimal.precision() - decimal.scale() - 1;
        if (value == 0) {
            return Double.toString(value);
        }
        if (exponent >= -4 && exponent < 16) {
            String plain = decimal.toPlainString();
            return plain.contains(".") ? plain : plain + ".0";
        }
        String digits = decimal.unscaledValue().abs().toString();
        String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
        return (value < 0 ? "-" : "")
                + mantissa
                + String.format(Locale.ROOT, "e%s%02d", exponent < 0 ? "-" : "+", Math.abs(exponent));
    }

    static String quote(String value) {
        StringBuilder text = new StringBuilder("\"");
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"' -> text.append("\\\"");
                case '\\' -> text.append("\\\\");
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                case '\b' -> text.append("\\b");
                case '\f' -> text.append("\\f");
                default -> {
                    if (c < 0x20 || c > 0x7e) {
                        text.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
                    } else {
                        text.append(c);
                    }
                }
            }
        }
        return text.append('"').toString();
    }
}
